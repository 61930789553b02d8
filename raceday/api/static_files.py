"""Sends scripts and style sheets of pages compressed: no build step does it before."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import brotli
from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

KINDS = frozenset({".js", ".css", ".svg"})
QUALITY = 10  # the files of the board in half a second of a process; 11 would save 3 % in four times that
_folder = tempfile.TemporaryDirectory(prefix="raceday-static-")


class CompressedFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # it has no types
    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> StaticFile:
        """Return a file, with its compressed variant if its folder is among settings.COMPRESSED_STATIC."""
        found = Path(path)
        folder = url.removeprefix(self.static_prefix).partition("/")[0]
        if folder not in settings.COMPRESSED_STATIC or found.suffix not in KINDS:
            return super().get_static_file(path, url, stat_cache)
        plain = super().get_static_file(path, url)
        return StaticFile(path, plain.alternatives[-1][2], encodings={"br": compressed(path, found.stat().st_mtime_ns)})


@lru_cache
def compressed(path: str, _changed_ns: int) -> str:
    """Return where the file stands compressed, for this process."""
    with tempfile.NamedTemporaryFile(dir=_folder.name, delete=False) as file:
        file.write(brotli.compress(Path(path).read_bytes(), quality=QUALITY))
    return file.name
