"""Damage to bytes, whatever they mean; and to archives and headers, so that they stay archives and headers."""

from __future__ import annotations

import json
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from random import Random

NUMBERS = (b"0", b"-1", b"1", b"2", b"65536", b"4294967296", b"9223372036854775807", b"9" * 30, b"9" * 5000, b"-" * 3000 + b"1")
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
_VALUES = ([], [0], [-1], [2**64], [[1]], [0, 10**12], [10, 0], "F32", "F8_E4M3", "X", None, {}, True, 1e300)


def damaged(content: bytes, ending: str, random: Random) -> bytes:
    """The content of a file, changed in one to four ways, of its structure or not."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        structural = random.random() < 0.5
        if structural and content[:2] == b"PK":
            content = _archive(content, random)
        elif structural and ending == "safetensors":
            content = _header(content, random)
        else:
            content = anywhere(content, random)
    return content


def anywhere(content: bytes, random: Random) -> bytes:
    """One change at a random position."""
    return random.choice(_CHANGES)(content, random)


def _cut(content: bytes, random: Random) -> tuple[int, int]:
    begin = random.randrange(len(content) + 1)
    return begin, min(len(content), begin + random.choice((1, 2, 8, 64, 1000)))


def _byte(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]


def _bit(content: bytes, random: Random) -> bytes:
    changed = bytearray(content or b"\0")
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _without(content: bytes, random: Random) -> bytes:
    begin, end = _cut(content, random)
    return content[:begin] + content[end:]


def _twice(content: bytes, random: Random) -> bytes:
    begin, end = _cut(content, random)
    return content[:end] + content[begin:]


def _moved(content: bytes, random: Random) -> bytes:
    begin, end = _cut(content, random)
    at = random.randrange(len(content) + 1)
    return content[:at] + content[begin:end] + content[at:]


def _short(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _integer(content: bytes, random: Random) -> bytes:
    """Sizes and offsets are little-endian in all of the formats."""
    at, width = random.randrange(len(content) + 1), random.choice((1, 2, 4, 8))
    value = random.choice(EXTREMES) & (1 << 8 * width) - 1
    return content[:at] + value.to_bytes(width, "little") + content[at + width :]


def _digits(content: bytes, random: Random) -> bytes:
    found = list(re.finditer(rb"\d+", content))
    if not found:
        return _byte(content, random)
    match = random.choice(found)
    return content[: match.start()] + random.choice(NUMBERS) + content[match.end() :]


_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (_byte, _bit, _without, _twice, _moved, _short, _integer, _digits)


def _archive(content: bytes, random: Random) -> bytes:
    """Members changed, renamed, missing, twice, compressed otherwise. Checksums are right again."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # it was damaged before
        return anywhere(content, random)
    if not members:
        return anywhere(content, random)
    at = random.randrange(len(members))
    name, inside = members[at]
    match random.randrange(8):
        case 0:
            members[at] = (anywhere(name.encode(), random).decode("latin-1"), inside)
        case 1:
            del members[at]
        case 2:
            members.append((name, random.choice(members)[1]))
        case 3:
            members.append((random.choice(("d/", "a", "../a.npy", "a.npy/")), inside))
        case _:
            members[at] = (name, anywhere(inside, random))
    buffer = BytesIO()
    how = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", how) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, inside in members:
            archive.writestr(name.partition("\0")[0] or "a", inside)
    return buffer.getvalue()


def _header(content: bytes, random: Random) -> bytes:
    """The header of a safetensors file changed, its length right again."""
    size = int.from_bytes(content[:8], "little")
    header, rest = content[8 : 8 + size], content[8 + size :]
    try:
        known = json.loads(header)
        entry = random.choice(list(known))
        key = random.choice(list(known[entry]))
        known[entry][key] = random.choice(_VALUES)
        header = json.dumps(known).encode() if random.random() < 0.7 else anywhere(header, random)
    except Exception:  # it was damaged before
        header = anywhere(header, random)
    return struct.pack("<Q", len(header)) + header + rest
