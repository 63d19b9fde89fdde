"""Types of tensors: an element type and a shape, whose dimensions may be symbolic. All types are known before a model runs.

>>> TensorType(DTYPES["int64"], (2, 3))
TensorType(int64 [2, 3])
>>> promote_types(DTYPES["int64"], DTYPES["float16"])
float16
"""

from __future__ import annotations

from netc.dsl.record import Record

from ..dims import Dim, format_dim, free_symbols

Shape = tuple[Dim, ...]
BATCH = "N"
"""The name of the batch dimension, which all inputs share."""
MOST_AXES = 64
"""The greatest number of axes of a tensor that PyTorch can reduce."""
UNNAMED_INPUT = "input"
"""The name of an input to which the text gives none. Several such inputs are numbered."""


class DType(Record):
    """An element type. `kind` is one of `float`, `int`, `uint`, `bool`; `size` counts bytes."""

    name: str
    kind: str
    size: int

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest finite value."""
        if self.is_float:
            return -_GREATEST[self.name], _GREATEST[self.name]
        bits = 1 if self.kind == "bool" else 8 * self.size
        return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if self.kind == "int" else (0, 2**bits - 1)

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


_GREATEST = {
    "float16": 65504.0,
    "bfloat16": float.fromhex("0x1.fep127"),
    "float32": float.fromhex("0x1.fffffep127"),
    "float64": float.fromhex("0x1.fffffffffffffp1023"),
}
DTYPES = {
    name: DType(name, kind, size)
    for name, kind, size in (
        ("float32", "float", 4),
        ("float16", "float", 2),
        ("bfloat16", "float", 2),
        ("float64", "float", 8),
        ("int64", "int", 8),
        ("int32", "int", 4),
        ("int16", "int", 2),
        ("int8", "int", 1),
        ("uint8", "uint", 1),
        ("bool", "bool", 1),
    )
}
_NAMES_OF_TYPES = {
    "float16": ("half", "f16", "fp16"), "bfloat16": ("bf16",), "float32": ("float", "single", "f32", "fp32"),
    "float64": ("double", "f64", "fp64"), "uint8": ("byte", "u8"), "int8": ("char", "i8"), "int16": ("short", "i16"),
    "int32": ("int", "i32"), "int64": ("long", "i64"), "bool": ("boolean",),
}  # fmt: skip
"""Their names in PyTorch and C, and short forms. Options accept them. In a text they are errors that suggest netc's name."""
TYPE_ALIASES = {name: own for own, names in _NAMES_OF_TYPES.items() for name in names}
FLOAT32 = DTYPES["float32"]
FLOAT64 = DTYPES["float64"]
INT64 = DTYPES["int64"]
BOOL = DTYPES["bool"]


class TensorType(Record):
    """The type of a tensor: `float32 [N, 3]`. Axis 0 is the batch axis where there is one."""

    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_batch(self) -> bool:
        """Whether axis 0 counts the samples of the batch."""
        return bool(self.shape) and BATCH in free_symbols(self.shape[0])

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        """The shape, preceded by the element type unless it is float32: `[N, 3]`, `int64 [N, T]`."""
        shape = show_shape(self.shape)
        return shape if self.dtype == FLOAT32 else f"{self.dtype} {shape}"

    def __repr__(self) -> str:
        return f"TensorType({self})"


def show_shape(shape: Shape) -> str:
    return "[" + ", ".join(format_dim(d) for d in shape) + "]"


def promote_types(a: DType, b: DType) -> DType:
    """The element type of an operation on two tensors, as `torch.promote_types` defines it."""
    if a == b:
        return a
    if a.is_float or b.is_float:
        if not (a.is_float and b.is_float):
            return a if a.is_float else b
        # Neither of the two holds the other: bfloat16 has the range of float32, float16 has more digits.
        if {a.name, b.name} == {"float16", "bfloat16"}:
            return FLOAT32
        return a if a.size > b.size else b
    if a.kind == "bool" or b.kind == "bool":
        return b if a.kind == "bool" else a
    if a.kind == b.kind:
        return a if a.size > b.size else b
    # uint8 is the only unsigned type, so int8 with it is the only pair that needs a wider type.
    signed, unsigned = (a, b) if a.kind == "int" else (b, a)
    return signed if signed.size > unsigned.size else DTYPES["int16"]
