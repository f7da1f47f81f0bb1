"""Checks of the Prometheus rules: their syntax, the example of a configuration, and that each alert fires."""

import subprocess

import yaml

from .engine import ROOT

FOLDER = ROOT / "deploy/monitoring"


def promtool(*words: str) -> str:
    done = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"promtool {' '.join(words)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def configuration_is_valid() -> str:
    """Check the example of a configuration, and the rules that it loads."""
    promtool("check", "config", "prometheus.yml")
    return "accepted"


def each_alert_fires() -> str:
    """Run the tests of the rules."""
    promtool("test", "rules", "tests/atrium.test.yml")
    tests = yaml.safe_load((FOLDER / "tests/atrium.test.yml").read_text())["tests"]
    fired = {each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]}
    groups = yaml.safe_load((FOLDER / "atrium.rules.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert fired == alerts, f"without a test that makes it fire: {alerts ^ fired}"
    return f"{len(alerts)} alerts, {len(tests)} situations"


CHECKS = (configuration_is_valid, each_alert_fires)
