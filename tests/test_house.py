"""Knowledge points down, as imports do: a lower floor names no table, address or dotted path of a higher one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from tests.support.paths import ROOT

FLOORS = ("raceday", "accounts", "meetings", "races", "moneyflow", "operations", "board")
WIRING = {"config.settings", "config.wsgi", "config.asgi"}  # how every Django project is started


def is_above(other: str, floor: str) -> bool:
    return other in FLOORS and FLOORS.index(other) > FLOORS.index(floor)


def texts() -> Iterator[tuple[str, Path, str]]:
    """Yield floor, path and text of every string in the product but for docstrings and migrations."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from ((floor, path.relative_to(ROOT), text) for text in strings(path))


def strings(path: Path) -> Iterator[str]:
    """Yield the texts of a module but for its docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def addresses(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, str]]:
    """Yield the first word of each route's address below /api, with the floor that answers it."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns)
            continue
        view = getattr(pattern.callback, "cls", pattern.callback)
        floor = view.__module__.partition(".")[0]
        if (words := re.match(r"\^?api/([a-z-]+)", str(pattern.pattern))) and floor in FLOORS:
            yield f"/api/{words[1]}", floor


def test_no_module_names_a_table_of_a_floor_above() -> None:
    tables = {model._meta.db_table: model.__module__.partition(".")[0] for model in apps.get_models()}
    found = [
        f"{path}: {word}"
        for floor, path, text in texts()
        if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", text)
        for word in re.findall(r"\w+", text)
        if is_above(tables.get(word, floor), floor)
    ]
    assert found == []


def test_no_module_names_an_address_of_a_floor_above() -> None:
    owners: dict[str, str] = {}
    for address, floor in addresses(get_resolver().url_patterns):
        owners[address] = min(floor, owners.get(address, floor), key=FLOORS.index)
    found = [
        f"{path}: {word}"
        for floor, path, text in texts()
        for word in re.findall(r"/api/[a-z-]+", text)
        if is_above(owners.get(word, floor), floor)
    ]
    assert found == []


def test_no_module_names_a_dotted_path_of_a_floor_above() -> None:
    found = [
        f"{path}: {word}"
        for floor, path, text in texts()
        for word in re.findall(rf"\b(?:{'|'.join(FLOORS)}|config)\.[a-z_]+", text)
        if word not in WIRING and (word.startswith("config.") or is_above(word.partition(".")[0], floor))
    ]
    assert found == []
