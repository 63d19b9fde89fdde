"""Images at another resolution: resized as a whole, or sampled at the positions of a grid.

In: `[N, C, ...]` with one to three spatial axes. Out: the same with other spatial sizes. Always: sizes by `scale` are rounded down, as
in PyTorch. A scaled symbolic size is only known if the `scale` as a fraction gives the same sizes as PyTorch's product in float64.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, TypeVar

from netc.dsl.record import Record

from ..dims import Dim, SymDim, bounds, format_dim, suggest_equality
from ..errors.operator_errors import BadArgument, EmptyResult, NeedsFloat, Unprovable, WrongRank, WrongSize
from ..errors.problem import STAGE, argument_location
from ..types.tensor_types import Shape, TensorType, show_shape
from .element_types import BYTES, FLOATS
from .kinds import FLAG, SIZE, InvalidArgument, Kind, ListKind, NumberKind, WordKind
from .operand import SPATIAL, Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .windows import spatial_axes, wrong_count

if TYPE_CHECKING:
    from fractions import Fraction

FINEST = 2**10
"""The greatest denominator of a scale for symbolic sizes: products with all usual sizes are exact."""
HALF_A_STEP = 2.0**-54
"""The relative error below which rounding to float64 restores an integral product: its neighbors are more than twice as far away."""
LARGEST = 2**20
"""The greatest size that is tried; no axis is larger."""
_NEAREST = ("nearest", "nearest-exact")
_AXES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2, "lanczos": 2}
"""The number of spatial axes that these modes need. Other modes take any."""
_BY_AXES = {1: "linear", 2: "bilinear", 3: "trilinear"}
_SMOOTH = ("bilinear", "bicubic", "lanczos")
"""Modes that have `antialias`."""
_TAPS = {"linear": 2, "bilinear": 4, "trilinear": 8, "bicubic": 16, "lanczos": 36}
"""The number of elements of the input that are weighted for one element of the result."""


Size = TypeVar("Size")


class ModeKind(WordKind):
    """PyTorch's words; `nearest_exact` is its "nearest-exact", which cannot be written bare."""

    def convert_value(self, value: object) -> str:
        return super().convert_value(value.replace("-", "_") if isinstance(value, str) else value).replace("_", "-")


class FactorKind(Kind["int | float"]):
    """A number above 0, integral floats as integers."""

    inner = NumberKind(above=0)

    def describe_values(self) -> str:
        return self.inner.describe_values()

    def convert_value(self, value: object) -> int | float:
        number = self.inner.convert_value(value)
        if number == inf:
            raise InvalidArgument
        return int(number) if number == int(number) else number


class Stretch(Record):
    """The resizing of one axis from one size to another. With `scale`, positions are computed from it rather than from the sizes."""

    size: Dim
    result: Dim
    scale: int | float | None = None

    @property
    def ratio(self) -> Fraction | None:
        """The size of the result divided by the size of the input. None if it is known only at run time."""
        from fractions import Fraction

        if self.scale is not None:
            return Fraction(self.scale)
        known = isinstance(self.size, int) and isinstance(self.result, int)
        return Fraction(self.result, self.size) if known else None  # type: ignore[arg-type]

    @property
    def may_stay(self) -> bool:
        """Whether the size stays although there is a scale, or may at a size that is allowed.

        That happens where rounding down removes all that the scale adds: at 1.25 a size of 2 or 3 stays, and 4 does not. Kernels do not
        agree about such an axis: some leave it alone, others stretch it by the scale.
        """
        if self.scale in (None, 1):
            return False
        if isinstance(self.size, int):
            return self.size == self.result != 1
        from fractions import Fraction  # imported here, because few models resize

        least = max(2, bounds(self.size)[0] or 1)
        return self.scale > 1 and least * (Fraction(self.scale) - 1) < 1


def _find_missed_size(near: Fraction, scale: float, highest: int | None) -> int | None:
    """Find the least size, up to `highest`, whose product is less in PyTorch than with the fraction. Only an integral product can be."""
    # Only multiples of the denominator have an integral product.
    step = near.denominator
    stop = LARGEST if highest is None else min(highest, LARGEST)
    return next((size for size in range(step, stop + 1, step) if int(size * scale) != size * near.numerator // step), None)


class Upsample(Operator):
    """Resizes the spatial axes to `size`, or by the factor `scale`; smaller too.

    `align_corners` aligns the centers of the outermost elements, not their outer edges. `recompute_scale_factor` makes
    `scale` determine the size only. `antialias` weights a wider neighborhood where the result is smaller; `lanczos` needs it. uint8
    with weights, and `lanczos`, are for the CPU only.
    """

    name = "upsample"
    spatial = True
    x = Input(FLOATS | BYTES, SPATIAL)
    size = Arg(ListKind(SIZE, scalar=True, least=1), default=None)
    scale = Arg(ListKind(FactorKind(), scalar=True, least=1), default=None, alias="scale_factor")
    mode = Arg(ModeKind("nearest", "nearest_exact", "linear", "bilinear", "trilinear", "bicubic", "lanczos", "area"), default="nearest")
    align_corners = Arg(FLAG, default=None)
    recompute_scale_factor = Arg(FLAG, default=False)
    antialias = Arg(FLAG, default=False)
    examples = ("input 8xHxW -> upsample scale=2", "input 3x20x20 -> upsample size=32x32 mode=bilinear align_corners=true")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if not x.dtype.is_float and self.mode not in (*_NEAREST, *_SMOOTH):
            raise OperatorError(NeedsFloat(self.name, x), inputs.at("x"))
        self._check_mode(x)
        self._check_options()
        sizes: Shape = (*x.shape[:2], *(s.result for s in self.make_stretches(x)))
        for axis, size in enumerate(sizes[2:], start=2):
            if inputs.facts.is_at_least(size, 1) is False:
                raise OperatorError(EmptyResult(self.name, sizes, axis, needs_elements=self.mode != "area"), argument_location("scale"))
        return (x.with_shape(sizes),)

    def _check_mode(self, x: TensorType) -> None:
        axes = spatial_axes(self.name, x)
        if _AXES.get(self.mode, axes) != axes:
            needed = f"must be for {axes} spatial {'axis' if axes == 1 else 'axes'}, as in {x}"
            raise OperatorError(
                BadArgument(self.name, "mode", f"`{self.mode}`", needed, f"use `mode={_BY_AXES[axes]}`"), argument_location("mode")
            )
        if self.mode == "lanczos" and x.dtype.is_float and x.dtype.size == 2:
            needed = f"must not be for {x.dtype} tensors"
            raise OperatorError(
                BadArgument(self.name, "mode", "`lanczos`", needed, "convert the tensor with `-> cast float32` before"),
                argument_location("mode"),
            )

    def _check_options(self) -> None:
        if (self.size is None) == (self.scale is None):
            shown = "neither" if self.size is None else "both"
            needed = "or else `scale` must be given"
            raise OperatorError(BadArgument(self.name, "size", shown, needed, "`scale=2` makes each size twice as large"), STAGE)
        if self.align_corners is not None and self.mode not in _AXES:
            needed = f"goes with {', '.join(f'`{m}`' for m in _AXES)} only"
            raise OperatorError(BadArgument(self.name, "align_corners", f"`mode={self.mode}`", needed), argument_location("align_corners"))
        if self.antialias and self.mode not in _SMOOTH:
            needed = f"goes with {', '.join(f'`{m}`' for m in _SMOOTH)} only"
            raise OperatorError(BadArgument(self.name, "antialias", f"`mode={self.mode}`", needed), argument_location("antialias"))
        # `F.interpolate` refuses it: "Lanczos mode requires antialias=True".
        if self.mode == "lanczos" and not self.antialias:
            needed = "must be true with `mode=lanczos`"
            raise OperatorError(BadArgument(self.name, "antialias", "false", needed, "add `antialias=true`"), argument_location("mode"))
        if self.mode == "lanczos" and self.align_corners:
            needed = "must be false with `mode=lanczos`"
            raise OperatorError(BadArgument(self.name, "align_corners", "true", needed), argument_location("align_corners"))
        if self.recompute_scale_factor and self.scale is None:
            needed = "requires `scale`"
            raise OperatorError(
                BadArgument(self.name, "recompute_scale_factor", "true", needed), argument_location("recompute_scale_factor")
            )

    def make_stretches(self, x: TensorType) -> tuple[Stretch, ...]:
        """Return the resizing of each spatial axis."""
        if self.size is not None:
            results = self._each_axis(self.size, "size", x)
            return tuple(Stretch(size, result) for size, result in zip(x.shape[2:], results, strict=True))
        # Otherwise PyTorch computes positions from the two sizes.
        positioned = not self.recompute_scale_factor and self.mode != "area"
        scales = self._each_axis(self.scale, "scale", x)
        pairs = zip(x.shape[2:], scales, strict=True)
        stretches = [Stretch(size, self._scale_size(size, scale), scale if positioned else None) for size, scale in pairs]
        leaves = positioned and self.leaves_axes(len(stretches))
        return tuple(Stretch(s.size, s.result, 1) if leaves and s.size == s.result else s for s in stretches)

    def leaves_axes(self, count: int) -> bool:
        """Whether PyTorch leaves an axis alone whose size stays, whatever the scale. `count` axes are resized."""
        return self.antialias or "linear" in self.mode or (self.mode == "nearest" and count == 2)

    def _each_axis(self, values: tuple[Size, ...], name: str, x: TensorType) -> tuple[Size, ...]:
        axes = x.rank - 2
        if len(values) == 1 and axes > 1:
            return values * axes
        if len(values) != axes:
            raise wrong_count(self.name, name, values, x)
        return values

    def _scale_size(self, size: Dim, scale: int | float) -> Dim:
        if isinstance(size, int):
            return int(size * scale)
        # Rounded down by `//`, so that the size is a formula with a normal form.
        numerator, denominator = self.scale_fraction(size, scale).as_integer_ratio()
        return size * numerator // denominator

    def scale_fraction(self, size: SymDim, scale: int | float) -> Fraction:
        """Return the factor of a symbolic size, before rounding down.

        PyTorch multiplies in float64, by the number nearest to 0.7. The product is usually the same as with 7/10, but sometimes just below
        an integer. If that can happen, the fraction is not enough.
        """
        from fractions import Fraction

        exact = Fraction(scale)
        near = exact.limit_denominator(FINEST)
        if exact == near or (float(near) == scale and (exact - near) / near >= -HALF_A_STEP):
            return near
        missed = _find_missed_size(near, scale, bounds(size)[1]) if float(near) == scale else 1
        if missed is None:
            return near
        needed = f"must be a float such as 0.5 or 1.25 for a size known only at run time, which {format_dim(size)} is"
        help_ = "give the `size` instead"
        if float(near) == scale:
            needed = (
                f"makes another size than {near} of it, which is known only at run time: {int(missed * scale)} of {missed}, by rounding"
            )
            help_ = f"say that it is smaller, as in `where {format_dim(size)} < {missed}`, or give the `size` instead"
        raise OperatorError(BadArgument(self.name, "scale", str(scale), needed, help_), argument_location("scale"))

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """A multiply-add for each weighted element. The wider neighborhood of `antialias` does not count."""
        if self.mode == "area":
            return numel(inputs.x.shape)
        return 2 * _TAPS.get(self.mode, 0) * numel(results[0].shape)


class GridSample(Operator):
    """Samples an image at positions: the grid's last axis has the coordinates, x first, from -1 at one edge of the image to 1 at the other.

    `align_corners` takes the edges to be the centers of the outermost elements. Beyond them, `padding_mode` applies.
    `bicubic` needs two spatial axes: with three, neither ONNX nor every version of PyTorch has it.
    """

    name = "grid_sample"
    spatial = True
    x = Input(FLOATS, axes("N C ...", "[N, C, height, width] or [N, C, depth, height, width]", least=4, most=5))
    grid = Input(FLOATS, axes("N ... n"), like="x")
    mode = Arg(WordKind("bilinear", "nearest", "bicubic"), default="bilinear")
    padding_mode = Arg(WordKind("zeros", "border", "reflection"), default="zeros")
    align_corners = Arg(FLAG, default=False)
    examples = ("x = input 3x8x8; grid = input [5, 6, 2]; (x, grid) -> grid_sample",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, grid = inputs.x, inputs.grid
        axes = x.rank - 2
        needed = f"a grid [N, {'height, width' if axes == 2 else 'depth, height, width'}, {axes}]"
        if grid.rank != x.rank:
            raise OperatorError(WrongRank(self.name, needed, grid), inputs.at("grid"))
        self._refuse_unless(grid.shape[-1], axes, f"{needed}, one coordinate for each spatial axis", inputs)
        batch = f"a grid for each of the {format_dim(x.shape[0])} images of {show_shape(x.shape)}"
        self._refuse_unless(grid.shape[0], x.shape[0], batch, inputs)
        # `F.grid_sample` interpolates bicubically for two spatial axes only.
        if axes == 3 and self.mode == "bicubic":
            needed = f"must be `bilinear` or `nearest` for three spatial axes, as in {x}"
            raise OperatorError(BadArgument(self.name, "mode", "`bicubic`", needed), argument_location("mode"))
        return (x.with_shape((*x.shape[:2], *grid.shape[1:-1])),)

    def _refuse_unless(self, size: Dim, wanted: Dim, needed: str, inputs: OpInputs) -> None:
        same = inputs.facts.are_equal(size, wanted)
        if same is False:
            raise OperatorError(WrongSize(self.name, needed, inputs.grid), inputs.at("grid"))
        if same is None:
            raise OperatorError(
                Unprovable(self.name, wanted, size, f"it needs {needed}", suggest_equality(wanted, size) or ""), inputs.at("grid")
            )

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """A multiply-add for each weighted element."""
        along = {"nearest": 0, "bilinear": 2, "bicubic": 4}[self.mode]
        taps = along**2 if inputs.x.rank == 4 else along**3
        return 2 * taps * numel(results[0].shape)
