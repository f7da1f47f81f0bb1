"""Checks of the Kubernetes manifests: the published schemas, and what a schema cannot see."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .engine import ROOT

BASE = ROOT / "deploy/kubernetes/base"
Manifest = dict[str, Any]


def resources() -> list[Manifest]:
    """Return every resource that the kustomization lists; a file that it does not list is an error."""
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    found = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert found == set(listed), f"kustomization.yaml and the folder differ in {found ^ set(listed)}"
    return [each for name in listed for each in yaml.safe_load_all((BASE / name).read_text())]


def match_the_schemas() -> str:
    """Validate all files, refusing members that Kubernetes does not know."""
    program = str(Path(sys.executable).with_name("kubernetes-validate"))
    files = sorted(str(path) for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")
    done = subprocess.run([program, "--strict", *files], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return f"{len(resources())} resources in {len(files)} files"


def containers(manifest: Manifest) -> Iterator[Manifest]:
    """Return the containers of a Deployment or Job, the initial ones included."""
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    yield from [*pod.get("initContainers", ()), *pod.get("containers", ())]


def run_without_privileges() -> str:
    """Check that no container is root, can write outside its volumes, or can use more memory than its limit."""
    count = 0
    for manifest in resources():
        for container in containers(manifest):
            pod, where = manifest["spec"]["template"]["spec"], f"{manifest['metadata']['name']}/{container['name']}"
            assert pod["securityContext"]["runAsNonRoot"] is True, where
            assert pod["automountServiceAccountToken"] is False, where
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], where
            assert context["capabilities"] == {"drop": ["ALL"]}, where
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            assert "memory" in container["resources"]["limits"], where
            count += 1
    return f"{count} containers without privileges, with limits"


def refer_only_to_what_exists() -> str:
    """Check names: config maps, services, selectors, volumes, and the addresses in the settings."""
    every = resources()
    names = {(each["kind"], each["metadata"]["name"]) for each in every}
    settings = next(each for each in every if each["kind"] == "ConfigMap")["data"]
    pods = [each for each in every if each["kind"] in ("Deployment", "Job")]
    roles = {each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]: each for each in pods}
    for manifest in every:
        where = f"{manifest['kind']} {manifest['metadata']['name']}"
        for container in containers(manifest):
            volumes = {volume["name"] for volume in manifest["spec"]["template"]["spec"]["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, where
            for source in container["envFrom"]:
                assert "secretRef" in source or ("ConfigMap", source["configMapRef"]["name"]) in names, where
        if manifest["kind"] in ("Service", "PodDisruptionBudget"):
            selector = manifest["spec"]["selector"]
            assert selector.get("matchLabels", selector)["app.kubernetes.io/name"] in roles, where
    for address in (settings["FRONT_WEB"], settings["FRONT_EVENTS"]):
        name, _, port = address.partition(":")
        service = next(each for each in every if (each["kind"], each["metadata"]["name"]) == ("Service", name))
        (container,) = roles[name]["spec"]["template"]["spec"]["containers"]
        assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"] == int(port), address
    replicated = {each["metadata"]["name"] for each in pods if each["spec"].get("replicas", 1) > 1}
    assert {name for kind, name in names if kind == "PodDisruptionBudget"} == replicated
    return "names, ports and selectors"


def hold_no_secret() -> str:
    """Check that no manifest contains a Secret or a setting that looks like one."""
    for manifest in resources():
        assert manifest["kind"] != "Secret", manifest["metadata"]["name"]
        words = ("SECRET", "PASSWORD", "TOKEN", "_KEY", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")
        named = [name for name in manifest.get("data", {}) if any(word in name for word in words)]
        assert named == [], named
    return "no secret in a file"


CHECKS = (match_the_schemas, run_without_privileges, refer_only_to_what_exists, hold_no_secret)
