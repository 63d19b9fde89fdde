"""Imports operators that change shapes, take parts, or pad: `Reshape` to `[N, -1]` becomes `flatten`."""

from __future__ import annotations

from collections.abc import Sequence

from ....dims import Dim, SymDim, dim_max, format_dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula
from ....ops.requirements import at_least_text
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, show_shape
from ...graph_builder import ImportRefused
from ..emitter import range_formula
from ..fold import make_slice
from ..importer_site import OnnxSite, to_dtype
from ..importer_table import imports
from ..onnx_values import Filled, Item, Known

FAR = 2**31 - 1


@imports("Reshape", to="reshape, flatten, unflatten")
def import_reshape(site: OnnxSite) -> Value:
    x = site.input()
    wanted = site.find_dims(1, "shape", "the shape")
    if wanted is None:
        raise ImportRefused("it lacks a shape")
    zero = bool(site.get_attr("allowzero", 0))
    # A 0 keeps the size of the input, unless `allowzero` is set.
    shape = [x.type.shape[n] if d == 0 and not zero and n < x.type.rank else d for n, d in enumerate(wanted)]
    return apply_reshape(site, x, shape)


def apply_reshape(site: OnnxSite, x: Value, shape: Sequence[Dim]) -> Value:
    """Reshape by the most specific operator, such as flatten or unsqueeze. Axes that stay are left out."""
    before = x.type.shape
    if site.are_equal(before, shape):
        return x
    front = 0
    # Axes at both ends that stay are not part of the reshape.
    while front < min(len(before), len(shape)) and site.facts.are_equal(before[front], shape[front]) is True:
        front += 1
    back = 0
    while back < min(len(before), len(shape)) - front and site.facts.are_equal(before[-1 - back], shape[-1 - back]) is True:
        back += 1
    old, new = len(before) - front - back, len(shape) - front - back
    if new == 1 and old > 1:
        flat = site.apply_op("flatten", x, start=front, end=front + old - 1)
        if shape[front] == -1 or site.facts.are_equal(flat.type.shape[front], shape[front]) is True:
            return flat
        # The flattened size is not provably the size that is asked for, so the operator is taken back.
        site.emit.drop_last(flat)
    if (old, new) == (1, 1) and shape[front] == -1:
        return x
    if (old, new) == (0, 1) and shape[front] in (1, -1):
        return site.apply_op("unsqueeze", x, axis=front)
    if (old, new) == (1, 0) and before[front] == 1:
        return site.apply_op("squeeze", x, axis=front)
    if old == 1 and new > 1:
        return site.apply_op("unflatten", x, axis=front, sizes=tuple(shape[front : front + new]))
    return site.apply_op("reshape", x, shape=tuple(shape))


@imports("Flatten", to="flatten")
def import_flatten(site: OnnxSite) -> Value:
    x = site.input()
    rank = x.type.rank
    axis = int(site.get_attr("axis", 1))
    axis = axis + rank if axis < 0 else axis
    # netc's `flatten` begins at axis 1 too.
    if axis == 1 and rank > 1:
        return x if rank == 2 else site.apply_op("flatten", x)
    front: Dim = 1
    for d in x.type.shape[:axis]:
        front = front * d
    back: Dim = 1
    for d in x.type.shape[axis:]:
        back = back * d
    return apply_reshape(site, x, (front, back))


@imports("Transpose", to="permute, transpose")
def import_transpose(site: OnnxSite) -> Value:
    x = site.input()
    order = [site.normalize_axis(a, x.type.rank) for a in site.get_ints("perm", list(reversed(range(x.type.rank))))]
    if sorted(order) != list(range(x.type.rank)):
        raise ImportRefused("its `perm` is no order of the axes")
    return apply_permute(site, x, order)


def apply_permute(site: OnnxSite, x: Value, order: Sequence[int]) -> Value:
    moved = [axis for axis, old in enumerate(order) if axis != old]
    if not moved:
        return x
    if len(moved) == 2:
        return site.apply_op("transpose", x, a=moved[0], b=moved[1])
    return site.apply_op("permute", x, axes=tuple(order))


@imports("Squeeze", to="squeeze")
def import_squeeze(site: OnnxSite) -> Value:
    x = site.input()
    axes = site.read_axes(1, x.type.rank)
    if axes is None:
        unknown = next((d for d in x.type.shape if site.facts.is_at_least(d, 2) is None), None)
        if unknown is not None:
            why = f"removes each axis of size 1 from {show_shape(x.type.shape)}, and {format_dim(unknown)} may be 1"
            raise ImportRefused(why, condition=f"{format_dim(unknown)} >= 2")
        axes = [axis for axis, d in enumerate(x.type.shape) if d == 1]
    if not axes:
        return x
    return site.apply_op("squeeze", x, axis=axes[0] if len(axes) == 1 else tuple(axes))


@imports("Unsqueeze", to="unsqueeze")
def import_unsqueeze(site: OnnxSite) -> Value:
    x = site.input()
    axes = site.find_dims(1, "axes", "the list of axes") or ()
    rank = x.type.rank + len(axes)
    for axis in sorted(site.normalize_axis(int(a), rank) for a in axes if isinstance(a, int)):
        x = site.apply_op("unsqueeze", x, axis=axis)
    return x


@imports("Expand", to="expand")
def import_expand(site: OnnxSite) -> Value:
    """Expand a tensor. ONNX broadcasts both ways: a 1 in the shape keeps the tensor's size."""
    x = site.input()
    shape = list(site.require_dims(1, "the shape"))
    rank = max(len(shape), x.type.rank)
    old_shape: list[Dim] = [*(1 for _ in range(rank - x.type.rank)), *x.type.shape]
    wanted: list[Dim] = [*(1 for _ in range(rank - len(shape))), *shape]
    sizes = [d if w == 1 else w for d, w in zip(old_shape, wanted, strict=True)]
    return x if site.are_equal(sizes, x.type.shape) else site.apply_op("expand", x, shape=tuple(sizes))


@imports("Tile", to="tile")
def import_tile(site: OnnxSite) -> Value:
    repeats = site.require_dims(1, "the number of repeats")
    return site.input() if all(r == 1 for r in repeats) else site.apply_op("tile", site.input(), repeats=tuple(repeats))


@imports("Concat", to="concat")
def import_concat(site: OnnxSite) -> Value:
    axis = int(site.get_attr("axis", 1))
    values = [site.to_tensor(item) for item in site.inputs if not _is_empty(item, axis)]
    if len(values) == 1:
        return values[0]
    return site.apply_op("concat", *values, axis=axis)


def _is_empty(item: Item, axis: int) -> bool:
    """Return whether a tensor has no elements along an axis.

    netc has no such tensors. Exporters make them where nothing is left over: a rotary embedding of a whole head joins its result with an
    empty rest.
    """
    shape = item.shape if isinstance(item, Filled) else item.array.shape if isinstance(item, Known) else ()
    return -len(shape) <= axis < len(shape) and shape[axis] == 0


def _make_empty(x: Value, axis: int) -> Filled:
    shape = list(x.type.shape)
    shape[axis] = 0
    return Filled(tuple(shape), numpy_dtype(x.type.dtype).type(0))


@imports("Split", to="chunk, split")
def import_split(site: OnnxSite) -> list[Item]:
    x = site.input()
    axis = site.normalize_axis(int(site.get_attr("axis", 0)), x.type.rank)
    count = len(site.used)
    sizes = site.find_dims(1, "split", "the list of sizes")
    size = x.type.shape[axis]
    if sizes is not None and len(sizes) != count:
        raise ImportRefused(f"it has {count} results and {len(sizes)} sizes")
    if count == 1:
        return [x]
    if sizes is None or (len({str(s) for s in sizes}) == 1 and site.facts.are_equal(sizes[0] * count, size) is True):
        chunks = list(site.emit.apply_multi_op("chunk", x, n=count, axis=axis))
        # An axis of 4 in three parts is 2, 2 and nothing.
        return [*chunks, *(_make_empty(x, axis) for _ in range(count - len(chunks)))]
    kept = tuple(s for s in sizes if s != 0)
    pieces = iter(
        [x]
        if len(kept) == 1 and site.facts.are_equal(kept[0], size) is True
        else site.emit.apply_multi_op("split", x, sizes=kept, axis=axis)
    )
    return [_make_empty(x, axis) if s == 0 else next(pieces) for s in sizes]


@imports("Slice", to="slice, select, flip")
def import_slice(site: OnnxSite) -> Item:
    x = site.input()
    starts = site.find_dims(1, "starts", "where it starts") or ()
    ends = site.find_dims(2, "ends", "where it ends") or ()
    axes = site.read_axes(3, x.type.rank, default=range(len(starts))) or []
    steps = site.find_dims(4, "steps", "the list of steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ImportRefused("its lists have different lengths")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if not isinstance(step, int) or step == 0:
            raise ImportRefused("its step is not known, or 0")
        # netc has no empty tensors. The item is an empty one, which Concat leaves out.
        if _leaves_nothing(site, x.type.shape[axis], start, end, step):
            return _make_empty(x, axis)
        x = _slice_axis(site, x, axis, start, end, step)
    return x


def _leaves_nothing(site: OnnxSite, size: Dim, start: Dim, end: Dim, step: int) -> bool:
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        return not range(*make_slice(start, end, step, size).indices(size))
    past, last = (start, size) if step > 0 else (end, size - 1)
    return not (isinstance(past, int) and past < 0) and site.facts.is_at_least(past, last) is True


def _slice_axis(site: OnnxSite, x: Value, axis: int, start: Dim, end: Dim, step: int) -> Value:
    size = x.type.shape[axis]
    if step < 0:
        return _slice_backwards(site, x, axis, start, end, step)
    stop = None if _reaches_end(site, end, size) else end
    start = _clip_bound(start, size)
    stop = None if stop is None else _clip_bound(stop, size)
    if start == 0 and stop is None and step == 1:
        return x
    return site.apply_op("slice", x, axis=axis, start=start, stop=stop, step=step)


def _clip_bound(bound: Dim, size: Dim) -> Dim:
    """Clip a bound to the axis. A position far before the beginning is the beginning, for symbolic sizes too."""
    if isinstance(bound, int) and isinstance(size, int):
        return max(-size, min(bound, size))
    # Exporters write the least int32 or int64 for "from the beginning".
    return 0 if isinstance(bound, int) and bound <= -FAR else bound


def _reaches_end(site: OnnxSite, end: Dim, size: Dim) -> bool:
    # Exporters write the greatest int32 or int64 for "to the end".
    if isinstance(end, int) and end >= FAR:
        return True
    return not (isinstance(end, int) and end < 0) and site.facts.is_at_least(end, size) is True


def _slice_backwards(site: OnnxSite, x: Value, axis: int, start: Dim, end: Dim, step: int) -> Value:
    """Slice with a negative step: flip the axis, and slice it forwards. PyTorch has no negative steps."""
    size = x.type.shape[axis]
    flipped = site.apply_op("flip", x, axis=axis)
    stop = size if isinstance(end, int) and end <= -FAR else _flip_position(site, end, size)
    return _slice_axis(site, flipped, axis, _flip_start(site, start, size), stop, -step)


def _flip_start(site: OnnxSite, start: Dim, size: Dim) -> Dim:
    """Return where a slice of the flipped axis starts. A start in front of the axis is its first element."""
    if site.facts.is_at_least(start, size - 1):
        return 0
    if isinstance(start, int) and start <= -FAR:
        return -1
    is_inside = site.facts.is_at_least(start, 0) or site.facts.is_at_least(size + start, 0)
    return _flip_position(site, start if is_inside else dim_max(start, -size), size)


def _flip_position(site: OnnxSite, position: Dim, size: Dim) -> Dim:
    """Return the same position of the flipped axis. It counts from the other end, unless both are the same for all sizes."""
    is_from_front = site.facts.is_at_least(position, 0)
    if is_from_front is None:
        raise ImportRefused("whether it counts from the front or from the end must be known", condition=at_least_text(position, 0))
    return size - 1 - position if is_from_front and site.facts.is_at_least(size - 1, position) else -1 - position


@imports("Pad", to="pad")
def import_pad(site: OnnxSite) -> Value:
    x = site.input()
    amounts = site.find_dims(1, "pads" if "pads" in site.attributes else "paddings", "the list of amounts")
    if amounts is None:
        raise ImportRefused("it lacks amounts")
    rank = x.type.rank
    axes = site.read_axes(3, rank, default=range(rank)) or []
    if len(amounts) != 2 * len(axes):
        raise ImportRefused("it has two amounts for each axis, before and after")
    both: dict[int, tuple[Dim, Dim]] = {axis: (amounts[n], amounts[n + len(axes)]) for n, axis in enumerate(axes)}
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}.get(site.get_attr("mode", "constant"))
    if mode is None:
        raise ImportRefused(f"has the mode {site.get_attr('mode')!r}, which is none of netc's")
    value = site.get_scalar(2) if site.has_input(2) else site.get_attr("value", 0.0)
    if value is None:
        raise ImportRefused("its value is computed, and must be known")
    return apply_padding(site, x, both, mode, value)


def apply_padding(site: OnnxSite, x: Value, both: dict[int, tuple[Dim, Dim]], mode: str = "constant", value: object = 0) -> Value:
    """Pad each axis before and after."""
    rank = x.type.rank
    wanted = {axis for axis, (before, after) in both.items() if not (before == 0 and after == 0)}
    if not wanted:
        return x
    first = min(wanted)
    if mode != "constant":  # PyTorch pads all axes but one or two then
        if first == 0:
            shifted = {axis + 1: amounts for axis, amounts in both.items()}
            return site.apply_op("squeeze", apply_padding(site, site.apply_op("unsqueeze", x, axis=0), shifted, mode), axis=(0,))
        first = min(first, 2)
    listed: list[Dim] = []
    for axis in reversed(range(first, rank)):
        listed += both.get(axis, (0, 0))
    extra = {"value": value} if mode == "constant" and value != 0 else {}
    return site.apply_op("pad", x, padding=tuple(listed), mode=mode, **extra)


@imports("DepthToSpace", to="pixel_shuffle, or reshape and permute")
def import_depth_to_space(site: OnnxSite) -> Value:
    x, block = site.input(), int(site.get_attr("blocksize", 1))
    if site.get_attr("mode", "DCR") == "CRD":
        return site.apply_op("pixel_shuffle", x, r=block)
    n, c, h, w = x.type.shape
    # The mode DCR has the blocks in front of the channels, and PyTorch's pixel_shuffle has them after (CRD).
    apart = site.apply_op("reshape", x, shape=(n, block, block, c // (block * block), h, w))
    return site.apply_op(
        "reshape", site.apply_op("permute", apart, axes=(0, 3, 4, 1, 5, 2)), shape=(n, c // (block * block), h * block, w * block)
    )


@imports("SpaceToDepth", to="reshape and permute")
def import_space_to_depth(site: OnnxSite) -> Value:
    x, block = site.input(), int(site.get_attr("blocksize", 1))
    if site.get_attr("mode", "DCR") == "CRD":
        return site.apply_op("pixel_unshuffle", x, r=block)
    n, c, h, w = x.type.shape
    apart = site.apply_op("reshape", x, shape=(n, c, h // block, block, w // block, block))
    return site.apply_op(
        "reshape", site.apply_op("permute", apart, axes=(0, 3, 5, 1, 2, 4)), shape=(n, c * block * block, h // block, w // block)
    )


@imports("Trilu", to="tril, triu")
def import_trilu(site: OnnxSite) -> Value:
    diagonal = site.require_dims(1, "the diagonal")[0] if site.has_input(1) else 0
    return site.apply_op("triu" if site.get_attr("upper", 1) else "tril", site.input(), diagonal=diagonal)


@imports("ConstantOfShape", "Range", to="table")
def refuse_data_sized(site: OnnxSite) -> Value:
    raise ImportRefused("its size depends on data")


@imports("EyeLike", to="table")
def import_eye_like(site: OnnxSite) -> Value:
    """Import ones on a diagonal, in the shape of a tensor whose numbers do not matter."""
    item = site.get_item(0)
    shape = item.shape if isinstance(item, Filled) else site.input().type.shape
    if len(shape) != 2:
        raise ImportRefused(f"is of a tensor of {len(shape)} axes, and a matrix is needed")
    code = site.get_attr("dtype")
    dtype = to_dtype(int(code)) if code is not None else site.input().type.dtype
    row = range_formula(0, int(site.get_attr("k", 0)), 1)
    formula: Formula = BinaryFormula("==", IndexFormula(1), row)
    if dtype != BOOL:
        formula = CallFormula("where", (formula, Const(1), Const(0)))
    return site.emit.make_table(shape, formula, dtype)


@imports("CenterCropPad", to="slice, pad")
def import_center_crop_pad(site: OnnxSite) -> Value:
    x = site.input()
    sizes = site.require_dims(1, "the shape")
    axes = [site.normalize_axis(a, x.type.rank) for a in site.get_ints("axes", range(x.type.rank))]
    for axis, wanted in zip(axes, sizes, strict=True):
        size = x.type.shape[axis]
        if isinstance(size, SymDim) or isinstance(wanted, SymDim):
            raise ImportRefused("of a size that is not known has no counterpart")
        if wanted < size:
            first = (size - wanted) // 2
            x = site.apply_op("slice", x, axis=axis, start=first, stop=first + wanted)
        elif wanted > size:
            first = (wanted - size) // 2
            x = apply_padding(site, x, {axis: (first, wanted - size - first)})
    return x
