"""The inputs and outputs of a model by name, and a check of shapes against them.

Sessions of ONNX Runtime and PyTorch modules use the same check, so that both report the same error.

In: the declared inputs, and the shapes of arrays. Out: nothing, or a `ValueError` that names the input and both shapes. Always: a symbolic
axis has one size in all inputs.

>>> from ..types.tensor_types import FLOAT32
>>> image = Port("image", FLOAT32, ("N", 3, 32, 32))
>>> check_shape(image, (3, 32, 32), {})
Traceback (most recent call last):
ValueError: the input `image` is float32 [N, 3, 32, 32], found the shape [3, 32, 32], without the batch axis
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.dsl.record import Record

from ..dims import format_dim
from ..types.tensor_types import DType

if TYPE_CHECKING:
    from .graph import Program


class Port(Record):
    """An input or output of a model. An axis is a size, or the text of a symbolic size; an empty text means unknown."""

    name: str
    dtype: DType
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(str(d) or '?' for d in self.shape)}]"


Sizes = dict[str, tuple[int, str]]
"""The size of each symbolic axis, and the input that it was first seen in."""


def make_input_ports(program: Program) -> tuple[Port, ...]:
    """The inputs of a model, in order."""
    return tuple(
        Port(value.name, value.type.dtype, tuple(d if isinstance(d, int) else format_dim(d) for d in value.type.shape))
        for value in program.main.inputs
    )


def check_shape(declared: Port, shape: tuple[int, ...], sizes: Sizes) -> None:
    """Raise ValueError for a shape that does not fit. Add the sizes of its symbolic axes to `sizes`."""
    if not shape_fits(declared.shape, shape):
        # Name the likely mistake: a single sample instead of a batch of one.
        missing = ", without the batch axis" if declared.shape[:1] == ("N",) and shape_fits(declared.shape[1:], shape) else ""
        raise ValueError(f"the input `{declared.name}` is {declared}, found the shape {list(shape)}{missing}")
    for d, size in zip(declared.shape, shape, strict=True):
        if not isinstance(d, str) or not d:
            continue
        known, where = sizes.setdefault(d, (size, declared.name))
        if known != size:
            raise ValueError(f"`{d}` is {known} in the input `{where}`, but {size} in `{declared.name}`")


def shape_fits(declared: tuple[int | str, ...], shape: tuple[int, ...]) -> bool:
    """Whether a shape has the declared number of axes, and the declared size on each axis with a known size."""
    return len(declared) == len(shape) and all(isinstance(d, str) or d == size for d, size in zip(declared, shape, strict=True))
