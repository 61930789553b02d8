import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.archive import packing
from moneyflow.archive.packing import DamagedError, digest_of, pack, unpack

BASE = bytes(range(256)) * 40


@given(st.binary(max_size=2000), st.none() | st.binary(max_size=2000))
def test_whatever_is_packed_comes_back_byte_for_byte(content: bytes, base: bytes | None) -> None:
    assert unpack(pack(content, base), base, digest_of(content)) == content


def test_what_is_like_its_base_takes_next_to_nothing() -> None:
    content = BASE[:5000] + b"news" + BASE[5000:]
    assert len(pack(content, BASE)) < 60 < len(pack(content))


@pytest.mark.parametrize(
    ("packed", "base", "reason"),
    [
        (b"no zstd at all", None, "cannot be unpacked"),
        (pack(BASE)[:-4], None, "cannot be unpacked"),
        (pack(BASE[::-1]), None, "not what its checksum names$"),
        (pack(BASE, BASE), BASE[::-1], "or its base is not$"),
    ],
)
def test_what_is_damaged_says_so(packed: bytes, base: bytes | None, reason: str) -> None:
    with pytest.raises(DamagedError, match=reason):
        unpack(packed, base, digest_of(BASE))


def test_what_would_fill_the_memory_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES", len(BASE) - 1)
    with pytest.raises(DamagedError, match="more than 20 MB"):
        unpack(pack(BASE), None, digest_of(BASE))
