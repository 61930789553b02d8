"""Puts a script and the modules that it imports into one script, so that a first view takes one request, not twenty.

It knows only what our modules use: `import { a, b } from "./other.js";` on a line of its own, and `export` before a
function or a const. Each module stays in a scope of its own.
"""

import re
from collections.abc import Iterator
from pathlib import Path

IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./([\w-]+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function |const )(\w+)", re.MULTILINE)
COMMENT = re.compile(r"^\s*//.*\n", re.MULTILINE)


def bundle(entry: Path) -> str:
    """Return a script that does what the module `entry` does; a module comes after those that it imports."""
    return "".join(_scoped(module) for module in dict.fromkeys(_needed(entry)))


def _needed(module: Path) -> Iterator[Path]:
    for _, name in IMPORT.findall(module.read_text()):
        yield from _needed(module.with_name(f"{name}.js"))
    yield module


def _scoped(module: Path) -> str:
    source = COMMENT.sub("", module.read_text())
    given = "".join(f"const {{ {names} }} = {_name(other)};\n" for names, other in IMPORT.findall(source))
    told = ", ".join(name for _, name in EXPORT.findall(source))
    body = EXPORT.sub(r"\1\2", IMPORT.sub("", source))
    return f"const {_name(module.stem)} = (() => {{\n{given}{body}return {{ {told} }};\n}})();\n"


def _name(stem: str) -> str:
    return f"module_{stem.replace('-', '_')}"
