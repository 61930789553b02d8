"""What the documents name exists: every path, every link, every `./run` and `manage` command."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.core.management import get_commands

from tests.support.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOP = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
PATH = re.compile(r"(?<![\w/.$])((?:[\w.-]+/)+[\w.-]*)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
TEST_NAME = re.compile(r"\btest_\w+\b(?!\.py)")


def found(pattern: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    """Yield what a pattern finds, with the document it stands in."""
    for document in DOCUMENTS:
        for match in pattern.finditer(document.read_text()):
            yield document, match[1] if pattern.groups else match[0]


def run_commands() -> set[str]:
    """Return the commands that `./run` takes, as its `case` lists them."""
    cases = re.findall(r"^ {4}((?:\w+ \| )*\w+)\) kind=", (ROOT / "run").read_text(), re.MULTILINE)
    return {word for case in cases for word in case.split(" | ")}


def test_every_path_in_the_documents_exists() -> None:
    missing = [
        f"{document.relative_to(ROOT)}: {path}"
        for document, path in found(PATH)
        if path.partition("/")[0] in TOP and not (ROOT / path.rstrip("./")).exists()
    ]
    assert missing == []


def test_every_link_in_the_documents_leads_to_a_file() -> None:
    missing = [
        f"{document.relative_to(ROOT)}: {link}"
        for document, link in found(LINK)
        if not (document.parent / link).exists()
    ]
    assert missing == []


def test_every_run_command_in_the_documents_is_one() -> None:
    known = run_commands()
    unknown = [
        f"{document.relative_to(ROOT)}: ./run {word}"
        for document, word in found(re.compile(r"\./run ([a-z]\w*)"))
        if word not in known
    ]
    assert known >= {"demo", "test", "manage"}
    assert unknown == []


def test_every_manage_command_in_the_documents_is_one() -> None:
    unknown = [
        f"{document.relative_to(ROOT)}: {word}"
        for document, word in found(re.compile(r"(?:\./run manage|manage\.py) ([a-z]\w*)"))
        if word not in get_commands()
    ]
    assert unknown == []


def test_every_test_that_the_documents_name_exists() -> None:
    modules = [path.read_text() for path in (ROOT / "tests").rglob("*.py")]
    named = {name for text in modules for name in re.findall(r"def (test_\w+)", text)}
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    unknown = [f"{document.name}: {name}" for document, name in found(TEST_NAME) if name not in named | files]
    assert unknown == []
