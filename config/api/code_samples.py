"""Code samples of each operation: the call with curl and with the typed client, for Redoc (``x-codeSamples``)."""

import json
import re
from typing import Any

PREFIX = "/api/v1"
# Calls that have a method of their own in the client.
METHODS = {
    "auth_login_create": 'const result = await atrium.signIn({ username: "ada", password: "a fine long secret" });',
    "auth_logout_create": "await atrium.signOut();",
    "auth_logout_all_create": "await atrium.signOut({ everywhere: true });",
    "auth_token_refresh_create": "// The client refreshes its tokens itself.",
    "auth_login_mfa_create": 'if (result.mfaRequired) await result.submitCode("123456");',
    "auth_login_passkey_create": "await atrium.signInWithPasskey();",
    "auth_login_passkey_options_create": "await atrium.signInWithPasskey();",
    "auth_token_from_session_create": "await atrium.signInWithCookie();",
    "events_stream": "for await (const event of atrium.events()) {\n  console.log(event.type, event.data);\n}",
}


def add_code_samples(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add ``x-codeSamples`` to every operation of the schema ``result``; a hook of drf-spectacular."""
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            body = _body(operation, result["components"]["schemas"])
            operation["x-codeSamples"] = [
                {"lang": "Shell", "label": "curl", "source": curl(method, path, operation, body)},
                {"lang": "TypeScript", "label": "@atrium/client", "source": typescript(method, path, operation, body)},
            ]
    return result


def curl(method: str, path: str, operation: dict[str, Any], body: Any) -> str:
    """Return the call of an operation with curl; ``$BASE`` is the site and ``$ACCESS`` an access token."""
    address = re.sub(r"{(\w+)}", lambda match: f"${match[1].upper()}", path)
    options = [] if {} in operation.get("security", []) else ['-H "Authorization: Bearer $ACCESS"']
    if method not in ("get", "post") or (method == "post" and body is None):
        options.insert(0, f"-X {method.upper()}")
    if _takes_file(operation):
        options = [each for each in options if not each.startswith("-X")] + ["-F file=@file"]
    elif body is not None:
        quoted = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
        options += ["-H 'Content-Type: application/json'", f"-d '{quoted}'"]
    return " \\\n  ".join([f'curl "$BASE{address}"', *options])


def typescript(method: str, path: str, operation: dict[str, Any], body: Any) -> str:
    """Return the call of an operation with the client of ``clients/typescript``."""
    if known := METHODS.get(operation["operationId"]):
        return known
    path = path.removeprefix(PREFIX)
    members = []
    if names := re.findall(r"{(\w+)}", path):
        members.append(f"path: {{ {', '.join(names)} }}")
    if _takes_file(operation):
        return f"await atrium.upload({_call(path, [*members, 'body: { file }'])});"
    if body is not None:
        members.append(f"body: {_literal(body)}")
    if method == "get" and _is_list(operation):
        return f"for await (const each of atrium.list({_call(path, members)})) {{\n  console.log(each);\n}}"
    result = "" if "204" in operation["responses"] else "const result = "
    return f"{result}await atrium.{method}({_call(path, members)});"


def _call(path: str, members: list[str]) -> str:
    return f'"{path}"' + (f", {{ {', '.join(members)} }}" if members else "")


def _literal(value: Any) -> str:
    """Return JSON as TypeScript, without quotes around names."""
    if isinstance(value, dict):
        items = (
            f"{name if name.isidentifier() else json.dumps(name)}: {_literal(each)}" for name, each in value.items()
        )
        return f"{{ {', '.join(items)} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _takes_file(operation: dict[str, Any]) -> bool:
    return list(operation.get("requestBody", {}).get("content", {})) == ["multipart/form-data"]


def _is_list(operation: dict[str, Any]) -> bool:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    return content.get("schema", {}).get("$ref", "").rpartition("/")[2].startswith("Paginated")


def _body(operation: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return the example of an operation's JSON body, or one made of its required members; None without a body."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    for example in content.get("examples", {}).values():
        return example["value"]
    schema = _resolve(content["schema"], schemas)
    members = schema.get("properties", {})
    names = schema.get("required") or list(members)[:1]
    return {name: _value(_resolve(members[name], schemas)) for name in names}


def _resolve(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    for each in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if "$ref" in each:
            return _resolve(schemas[each["$ref"].rpartition("/")[2]], schemas)
    return schema


def _value(schema: dict[str, Any]) -> Any:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    formats = {"email": "ada@example.org", "date-time": "2026-12-01T09:00:00Z", "date": "2026-12-01"}
    values = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
    if schema.get("enum"):
        return schema["enum"][0]
    return values.get(kind, formats.get(schema.get("format", ""), "…"))
