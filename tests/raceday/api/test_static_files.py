"""Files of pages as they are sent: bundled and compressed. That a bundle does what its modules do, browsers test."""

from pathlib import Path

import brotli
from django.test import Client

from raceday.api.bundles import bundle

UPLOT, RACE = "/static/board/uplot/uPlot.iife.min.js", "/static/board/race.js"


def test_modules_come_once_and_after_those_that_they_import(tmp_path: Path) -> None:
    (tmp_path / "words.js").write_text('// A comment.\nexport const A = 1;\nexport function b() {}\nconst own = "x";\n')
    (tmp_path / "page.js").write_text('import { A, b } from "./words.js";\nexport async function c() {}\n')
    (tmp_path / "main.js").write_text('import { c } from "./page.js";\nimport { A } from "./words.js";\n\nc(A);\n')
    assert bundle(tmp_path / "main.js") == (
        'const module_words = (() => {\nconst A = 1;\nfunction b() {}\nconst own = "x";\nreturn { A, b };\n})();\n'
        "const module_page = (() => {\nconst { A, b } = module_words;\nasync function c() {}\nreturn { c };\n})();\n"
        "const module_main = (() => {\nconst { c } = module_page;\nconst { A } = module_words;\n"
        "\nc(A);\nreturn {  };\n})();\n"
    )


def test_a_bundle_of_the_board_leaves_no_import_or_export() -> None:
    written = bundle(Path("board/static/board/race.js")).splitlines()
    assert not [line for line in written if line.startswith(("import ", "export "))]
    assert written.count("const module_words = (() => {") == 1


def test_scripts_are_sent_compressed_to_who_can_read_that(client: Client) -> None:
    plain = client.get(UPLOT).getvalue()
    response = client.get(UPLOT, headers={"accept-encoding": "gzip, br"})
    packed = response.getvalue()
    assert (response.headers["Content-Encoding"], response.headers["Vary"]) == ("br", "Accept-Encoding")
    assert len(packed) < len(plain) / 2
    assert brotli.decompress(packed) == plain


def test_a_bundled_script_is_one_for_all_readers(client: Client) -> None:
    plain = client.get(RACE)
    packed = client.get(RACE, headers={"accept-encoding": "br"})
    assert plain.headers["Content-Type"].startswith("text/javascript")
    assert plain.getvalue().decode() == bundle(Path("board/static/board/race.js"))
    assert brotli.decompress(packed.getvalue()) == bundle(Path("board/static/board/race.js")).encode()


def test_other_files_are_sent_as_they_are(client: Client) -> None:
    response = client.get("/static/board/uplot/LICENSE", headers={"accept-encoding": "br"})
    assert "Content-Encoding" not in response.headers
    assert response.getvalue() == Path("board/static/board/uplot/LICENSE").read_bytes()
