"""The packed client is installed into an empty project, where examples and code samples compile."""

import json
import re
from pathlib import Path

import pytest

from ..api.routes import schema
from .package import examples, run

STRICT = {"strict": True, "noEmit": True, "target": "ES2022", "noUncheckedIndexedAccess": True, "skipLibCheck": False}
# Bundlers, and Node itself.
PROJECTS = {
    "browser": {
        "module": "ESNext",
        "moduleResolution": "bundler",
        "lib": ["ES2022", "DOM", "DOM.Iterable"],
        "types": [],
    },
    "node": {"module": "NodeNext", "moduleResolution": "NodeNext", "lib": ["ES2022"], "types": ["node"]},
}


def test_the_package_contains_what_users_need_and_no_more(project: Path) -> None:
    client = project / "node_modules" / "@atrium" / "client"
    names = {str(path.relative_to(client)) for path in client.rglob("*") if path.is_file()}
    assert {"package.json", "README.md", "LICENSE", "THIRD-PARTY.md", "dist/index.js", "dist/index.d.ts"} <= names
    assert all(name.startswith("dist/") for name in names if name.endswith((".js", ".ts", ".mjs"))), names


WRONG = """
import { createClient } from "@atrium/client";
const atrium = createClient({ url: "http://localhost" });
// @ts-expect-error: no such path
await atrium.get("/nots/");
// @ts-expect-error: no such method
await atrium.put("/notes/", { body: {} });
// @ts-expect-error: the path's parameter is missing
await atrium.get("/notes/{id}/");
// @ts-expect-error: the body is missing
await atrium.post("/messages/");
// @ts-expect-error: no such member
await atrium.post("/notes/", { body: { titel: "Milk" } });
// @ts-expect-error: no such choice
await atrium.get("/notes/", { query: { state: "lost" } });
// @ts-expect-error: not a list
atrium.list("/auth/profile/");
// @ts-expect-error: not a file
await atrium.upload("/contacts/uploads/", { body: { file: "text" } });
// @ts-expect-error: the note has no such member
(await atrium.get("/notes/{id}/", { path: { id: 1 } })).nothing;
const title: string = (await atrium.get("/notes/{id}/", { path: { id: 1 } })).title;
const none: undefined = await atrium.delete("/notes/{id}/", { path: { id: 1 } });
const picture: Blob = await atrium.get("/people/{usercode}/picture/", { path: { usercode: "K7QX2M" } });
for await (const event of atrium.events()) {
  if (event.type === "deleted") event.data.id satisfies number;
  // @ts-expect-error: a presence has no id
  if (event.type === "presence") event.data.id;
}
export { none, picture, title };
"""


def code_samples() -> str:
    """Return all calls of the client that Redoc shows, as one program."""
    names = {name for path in schema()["paths"] for name in re.findall(r"{(\w+)}", path)}
    lines = [
        'import { createClient } from "@atrium/client";',
        "declare const file: File;",
        "const atrium = createClient();",
        'const result = await atrium.signIn({ username: "ada", password: "a fine long secret" });',
        *(f"declare const {name}: any;" for name in sorted(names)),
    ]
    for operations in schema()["paths"].values():
        for operation in operations.values():
            samples = {each["label"]: each["source"] for each in operation["x-codeSamples"]}
            assert samples["curl"].startswith('curl "$BASE/')
            lines.append(f"{{ {samples['@atrium/client']}\n}}")
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["browser", pytest.param("node", marks=pytest.mark.slow)])
def test_examples_and_code_samples_compile_in_an_empty_strict_project(name: str, project: Path) -> None:
    """Also, every line of WRONG after ``@ts-expect-error`` is an error."""
    programs = {f"{name}.ts": examples(browser=name == "browser")}
    if name == "browser":
        programs |= {"wrong.ts": WRONG, "samples.ts": code_samples()}
    for file, code in programs.items():
        (project / file).write_text(code)
    settings = {"compilerOptions": {**STRICT, **PROJECTS[name]}, "files": list(programs)}
    (project / f"tsconfig.{name}.json").write_text(json.dumps(settings))
    run(project, "node", "node_modules/typescript/bin/tsc", "-p", f"tsconfig.{name}.json")
