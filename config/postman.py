"""The Postman collection, made from the OpenAPI description so that the two cannot drift apart.

The description says what each request looks like. What it cannot say stands in ``postman_flow``: in which order
requests make sense, what an answer hands on to later ones, which status a run from the top meets. Every request carries
its test.
"""

import json
import re
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from .postman_flow import FLOW, Step, variable

METHODS = ("post", "get", "put", "patch", "delete")


def description() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def collection() -> dict[str, Any]:
    """The collection in Postman's format 2.1."""
    schema = description()
    known = {
        f"{method.upper()} {path}": (path, method, methods[method])
        for path, methods in schema["paths"].items()
        for method in METHODS
        if method in methods
    }
    missing = [name for steps in FLOW.values() for name in steps if name not in known]
    if missing:
        raise LookupError(f"The flow names operations that do not exist: {', '.join(missing)}")
    folders: dict[str, list] = {folder: [] for folder in FLOW}
    placed = set()
    for folder, steps in FLOW.items():
        for name, step in steps.items():
            folders[folder].append(_item(schema, *known[name], step))
            placed.add(name)
    for name, (path, method, said) in known.items():
        if name not in placed:
            folders.setdefault(said["tags"][0].capitalize(), []).append(_item(schema, path, method, said, Step()))
    return {
        "info": {
            "name": "Atrium",
            "description": "Choose the environment, fill in `login` and `password` of a member of staff and the "
            "usercode of a `friend`, and run it from the top. Made by `manage.py postman`; do not edit it by hand.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{access}}", "type": "string"}]},
        "item": [{"name": folder, "item": items} for folder, items in folders.items() if items],
    }


def environment() -> dict[str, Any]:
    values = {"base_url": "http://localhost:8000", "login": "", "password": "", "friend": ""}
    return {
        "name": "Atrium on this machine",
        "values": [
            {"key": key, "value": value, "type": "secret" if key == "password" else "default", "enabled": True}
            for key, value in values.items()
        ],
        "_postman_variable_scope": "environment",
    }


def _item(schema: dict, path: str, method: str, said: dict[str, Any], step: Step) -> dict[str, Any]:
    parameters = said.get("parameters", [])
    expected = step.status or min(int(code) for code in said["responses"] if code.startswith(("2", "3")))
    request: dict[str, Any] = {
        "method": method.upper(),
        "description": said.get("description", ""),
        "header": [
            {"key": p["name"], "value": "", "disabled": True, "description": p.get("description", "")}
            for p in parameters if p["in"] == "header"
        ],
        "url": _url(path, parameters, step),
    }  # fmt: skip
    if not said.get("security") or {} in said["security"]:
        request["auth"] = {"type": "noauth"}
    content = said.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content and (step.file or "application/json" not in content):
        properties = _resolve(schema, content["multipart/form-data"].get("schema", {})).get("properties", {})
        request["body"] = {
            "mode": "formdata",
            "formdata": [_form_field(name, _resolve(schema, each), step) for name, each in properties.items()],
        }
    elif "application/json" in content:
        examples = content["application/json"].get("examples")
        example = next(iter(examples.values()))["value"] if examples else {}
        body = {**example, **step.body} if step.whole is None else step.whole
        request["header"].append({"key": "Content-Type", "value": "application/json"})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(body, indent=2, ensure_ascii=False),
            "options": {"raw": {"language": "json"}},
        }
    return {
        "name": said.get("summary") or said["operationId"],
        "request": request,
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _tests(expected, said, step)}}],
        "response": [],
    }


def _url(path: str, parameters: list, step: Step) -> dict[str, Any]:
    names = re.compile(r"\{(\w+)\}")
    parts = [
        names.sub(lambda match: step.path.get(match[1], f"{{{{{variable(path, match[1])}}}}}"), part)
        for part in path.lstrip("/").split("/")
    ]
    query = [
        {"key": p["name"], "value": step.query.get(p["name"], ""), "disabled": p["name"] not in step.query,
         "description": p.get("description", "")}
        for p in parameters if p["in"] == "query"
    ]  # fmt: skip
    raw = "{{base_url}}/" + "/".join(parts)
    if step.query:
        raw += "?" + "&".join(f"{key}={value}" for key, value in step.query.items())
    return {"raw": raw, "host": ["{{base_url}}"], "path": parts, "query": query}


def _form_field(name: str, said: dict[str, Any], step: Step) -> dict[str, Any]:
    if said.get("format") == "binary":
        return {"key": name, "type": "file", "src": f"files/{step.file}" if step.file else None}
    value = step.body.get(name)
    return {"key": name, "type": "text", "value": "" if value is None else str(value), "disabled": value is None}


def _tests(expected: int, said: dict[str, Any], step: Step) -> list[str]:
    lines = [
        f"pm.test('answers {expected}', () => pm.response.to.have.status({expected}));",
        "pm.test('names the request', () => pm.response.to.have.header('X-Request-ID'));",
    ]
    if expected >= 400:
        lines.append("pm.test('says what is wrong', () => pm.expect(pm.response.json().errors).to.not.be.empty);")
    elif step.save:
        lines.append("const answer = pm.response.json();")
        lines += [
            f"pm.collectionVariables.set('{variable}', answer{_accessor(where)});"
            for variable, where in step.save.items()
        ]
    return lines


def _accessor(where: str) -> str:
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in where.split("."))


def _resolve(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        return _resolve(schema, schema["components"]["schemas"][part["$ref"].rpartition("/")[2]])
    return part
