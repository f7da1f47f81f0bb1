"""The operations of the OpenAPI schema, so that tests cover every route, including new ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path; ``body`` is its example, or a value built from its schema."""

    method: str
    path: str
    public: bool
    statuses: frozenset[int]
    parameters: tuple[dict, ...] = field(hash=False, compare=False)
    body: Any = field(hash=False, compare=False)
    content_types: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def path_names(self) -> list[str]:
        return [p["name"] for p in self.parameters if p["in"] == "path"]

    @property
    def query_names(self) -> list[str]:
        return [p["name"] for p in self.parameters if p["in"] == "query"]

    def url(self, **values: object) -> str:
        """Return the path with its parameters replaced; missing ones become 1."""
        path = self.path
        for name in self.path_names:
            path = path.replace(f"{{{name}}}", str(values.get(name, 1)))
        return path


@cache
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """Return ``part`` with its ``$ref`` or single ``allOf`` resolved."""
    if "$ref" in part:
        return resolve(schema()["components"]["schemas"][part["$ref"].rpartition("/")[2]])
    if len(part.get("allOf", ())) == 1:
        return resolve(part["allOf"][0])
    return part


def sample(part: dict[str, Any]) -> Any:
    """Return a value of the right type for ``part``."""
    part = resolve(part)
    for key in ("example", "default"):
        if part.get(key) is not None:
            return part[key]
    if part.get("enum"):
        return part["enum"][0]
    kind = part.get("type")
    kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
    if "oneOf" in part or "anyOf" in part:
        return sample((part.get("oneOf") or part["anyOf"])[0])
    match kind:
        case "object":
            return {name: sample(each) for name, each in part.get("properties", {}).items() if not each.get("readOnly")}
        case "array":
            return [sample(part["items"])]
        case "integer" | "number":
            return part.get("minimum", 1)
        case "boolean":
            return False
        case _:
            formats = {"date": "2001-02-03", "date-time": "2030-01-02T03:04:05Z", "email": "a@example.org"}
            return formats.get(part.get("format", ""), "text")


def operations() -> Iterator[Operation]:
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            if method not in METHODS:
                continue
            content = operation.get("requestBody", {}).get("content", {})
            body = None
            if "application/json" in content:
                examples = content["application/json"].get("examples")
                body_schema = content["application/json"].get("schema", {})
                body = next(iter(examples.values()))["value"] if examples else sample(body_schema)
            yield Operation(
                method=method,
                path=path,
                public="security" not in operation or {} in operation["security"] or not operation["security"],
                statuses=frozenset(int(code) for code in operation["responses"] if code.isdigit()),
                parameters=tuple(operation.get("parameters", ())),
                body=body,
                content_types=tuple(content),
            )
