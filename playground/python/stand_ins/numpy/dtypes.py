"""Element types: their names, their numbers and their bytes."""

from __future__ import annotations

import math
import struct
from array import array as packed

INTEGERS = {"int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q"}
FLOATS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
ORDER = ("bool", "uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")


class dtype:  # noqa: N801
    """An element type, by its name."""

    def __new__(cls, kind):
        if isinstance(kind, dtype):
            return kind
        made = object.__new__(cls)
        made.name = _name_of(kind)
        made.kind = "b" if made.name == "bool" else "f" if made.name in FLOATS else "u" if made.name[0] == "u" else "i"
        made.itemsize = 1 if made.name == "bool" else FLOATS.get(made.name) or struct.calcsize("=" + INTEGERS[made.name])
        return made

    def __class_getitem__(cls, _):
        return cls

    def __eq__(self, other):
        try:
            return self.name == _name_of(other)
        except TypeError:
            return False

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return self.name

    def cast(self, value):
        """The nearest number of the type."""
        if self.kind == "b":
            return bool(value)
        if self.kind == "f":
            return _rounded(float(value), self.name)
        whole = int(value)
        bits = 8 * self.itemsize
        whole &= (1 << bits) - 1
        return whole - (1 << bits) if self.kind == "i" and whole >> (bits - 1) else whole

    def pack(self, values):
        """The little-endian bytes of numbers of this type."""
        if self.name == "bool":
            return bytes(values)
        if self.name == "float16":
            return struct.pack(f"<{len(values)}e", *values)
        if self.name == "bfloat16":
            return b"".join(struct.pack("<f", v)[2:] for v in values)
        code = {"float32": "f", "float64": "d"}.get(self.name) or INTEGERS[self.name]
        return packed(code, values).tobytes()


_OTHER_NAMES = {"bool_": "bool", "float": "float64", "int": "int64", "<u2": "uint16", "<u8": "uint64"}


def _name_of(kind):
    if isinstance(kind, (dtype, str)):
        return _OTHER_NAMES.get(str(kind), str(kind)) if isinstance(kind, str) else kind.name
    if isinstance(kind, type):
        name = {"float": "float64", "int": "int64", "bool_": "bool"}.get(kind.__name__, kind.__name__)
        if name in FLOATS or name in INTEGERS or name == "bool":
            return name
    raise TypeError(f"no element type: {kind!r}")


def _rounded(value, name):
    if name == "float64" or not math.isfinite(value):
        return value
    if name == "float32":
        return packed("f", [value])[0]
    if name == "float16":
        try:
            return struct.unpack("<e", struct.pack("<e", value))[0]
        except OverflowError:
            return math.copysign(math.inf, value)
    bits = struct.unpack("<I", struct.pack("<f", packed("f", [value])[0]))[0]
    if bits & 0x7F800000 != 0x7F800000:
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return struct.unpack("<f", struct.pack("<I", bits))[0]
