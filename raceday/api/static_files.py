"""Sends the scripts and style sheets of pages bundled and compressed: no build step does it before."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import brotli
from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from raceday.api.bundles import bundle

KINDS = frozenset({".js", ".css", ".svg"})
QUALITY = 10  # the files of the board in half a second of a process; 11 would save 3 % in four times that
_folder = tempfile.TemporaryDirectory(prefix="raceday-static-")


class PageFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # it has no types
    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> StaticFile:
        """Return a file: with its compressed variant, and bundled, as settings say."""
        name = url.removeprefix(self.static_prefix)
        if name.partition("/")[0] not in settings.COMPRESSED_STATIC or Path(path).suffix not in KINDS:
            return super().get_static_file(path, url, stat_cache)
        whole, packed = ready(path, is_bundled=name in settings.BUNDLED_SCRIPTS)
        plain = super().get_static_file(whole, url)
        return StaticFile(whole, plain.alternatives[-1][2], encodings={"br": packed})


@cache
def ready(path: str, *, is_bundled: bool) -> tuple[str, str]:
    """Return where a file stands as it is sent, plain and compressed, for this process."""
    whole = _kept(bundle(Path(path)).encode(), suffix=".js") if is_bundled else path
    return whole, _kept(brotli.compress(Path(whole).read_bytes(), quality=QUALITY))


def _kept(content: bytes, *, suffix: str = ".br") -> str:
    with tempfile.NamedTemporaryFile(dir=_folder.name, suffix=suffix, delete=False) as file:
        file.write(content)
    return file.name
