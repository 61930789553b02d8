"""An answer's bytes, packed by themselves or against an earlier answer of the same race. PURE, and without loss.

Two answers of a race are alike in all but some numbers: packed against each other they take about a hundredth.
"""

from hashlib import sha256

import zstandard
from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError

LEVEL = 3
MOST_BYTES = 20_000_000  # unpacked, as at the feed's door


class DamagedError(ValueError):
    """What was packed cannot be had again; says why."""


def digest_of(content: bytes) -> bytes:
    """Return the name of a content: its SHA-256."""
    return sha256(content).digest()


def pack(content: bytes, base: bytes | None = None) -> bytes:
    """Pack a content as one frame of zstd; with a base only `unpack` with the same base reads it."""
    return ZstdCompressor(level=LEVEL, dict_data=_dictionary(base), write_dict_id=False).compress(content)


def unpack(packed: bytes, base: bytes | None, digest: bytes) -> bytes:
    """Return what was packed; DamagedError if it has not this digest, whichever of the two was damaged."""
    try:
        if zstandard.frame_content_size(packed) > MOST_BYTES:
            raise DamagedError("it would unpack to more than 20 MB")
        content = ZstdDecompressor(dict_data=_dictionary(base)).decompress(packed)
    except ZstdError as error:
        raise DamagedError(f"it cannot be unpacked: {error}") from None
    if digest_of(content) != digest:
        raise DamagedError("it is not what its checksum names" + ("" if base is None else ", or its base is not"))
    return content


def _dictionary(base: bytes | None) -> ZstdCompressionDict | None:
    return None if base is None else ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
