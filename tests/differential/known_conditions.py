"""Which uses a known difference is of: conditions on the arguments and inputs of a use, for the table of known_differences.py."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.compiler.ops.kinds import SizesKind
from netc.compiler.ops.windows import PaddingKind
from tests.differential.use import Use


def argument(use: Use, name: str) -> Any:
    """As written, or else the default."""
    return use.build().args[name]


def each(use: Use, name: str) -> tuple[Any, ...]:
    """One for each spatial axis."""
    value = argument(use, name)
    return value if isinstance(value, tuple) else (value,) * (use.inputs[0].rank - 2)


def not_float(use: Use) -> bool:
    return not use.inputs[0].dtype.is_float


def not_spatial(use: Use) -> bool:
    return not 3 <= use.inputs[0].rank <= 5


def beyond_64_bits(use: Use) -> bool:
    numbers = [n for _, value in use.args for n in (value if isinstance(value, tuple) else (value,))]
    return any(isinstance(n, int) and not -(2**63) <= n < 2**63 for n in numbers)


def unaligned(use: Use) -> bool:
    """Causal attention of different lengths, with nothing said about which key belongs to which query."""
    return bool(argument(use, "causal")) and argument(use, "align") is None


def ends_before(use: Use) -> bool:
    """More queries than keys, which end together."""
    return bool(argument(use, "causal")) and argument(use, "align") == "end"


def negative_eps(use: Use) -> bool:
    eps = argument(use, "eps")
    return eps is not None and eps < 0


def lists(use: Use) -> tuple[tuple[Any, ...], ...]:
    """The lists among the arguments that say something of each spatial axis."""
    kinds = {name: arg.kind for name, arg in use.cls.signature.items()}
    return tuple(v for name, v in use.args if isinstance(kinds.get(name), (SizesKind, PaddingKind)) and isinstance(v, tuple))


def one_for_several(use: Use) -> bool:
    """A list of one, where there are two or three axes, and every other list has one for each."""
    axes = use.inputs[0].rank - 2
    return axes > 1 and {len(sizes) for sizes in lists(use)} in ({1}, {1, axes})


def pads_by_itself(use: Use) -> bool:
    """A padding that is not of zeros, of more axes than there are."""
    padding = argument(use, "padding")
    return isinstance(padding, tuple) and len(padding) > use.inputs[0].rank - 2 and argument(use, "padding_mode") != "zeros"


def bias_without_tensor(use: Use) -> bool:
    """`bias=true` with a tensor for the weight and none for the bias."""
    return len(use.inputs) == use.cls.arity()[0] + 1 and dict(use.args).get("bias") is True


def undilated(use: Use) -> bool:
    """A dilation below 1, but only where there is nothing to dilate."""
    taps = [k for k, d in zip(each(use, "kernel"), each(use, "dilation"), strict=False) if d < 1]
    return bool(taps) and set(taps) == {1}


def masked(use: Use) -> bool:
    """A mask of queries and keys, which a mask of keys may follow."""
    tensors = use.inputs[: min(len(use.inputs) - argument(use, "key_padding_mask"), 4)]
    return len(tensors) == 4 or (len(tensors) > 1 and tensors[-1].dtype.kind == "bool")


def wraps_twice(use: Use) -> bool:
    """Something is cut off, and what is left is less than what it is to be wrapped around."""
    amounts = argument(use, "padding")
    ends = zip(reversed(use.inputs[0].shape), amounts[::2], amounts[1::2], strict=False)
    left = [(int(size) + min(before, 0) + min(after, 0), max(before, after)) for size, before, after in ends]
    return argument(use, "mode") == "circular" and min(amounts) < 0 and any(size < more for size, more in left)


def sees_nothing(use: Use) -> bool:
    window = argument(use, "window")
    return window is not None and window < 1


def lengths_in_other_axes(use: Use) -> bool:
    """As many lengths as there are sequences, but not as a list of them."""
    sequences = use.inputs[0].shape[1:-1]
    lengths = [t.shape for t in use.inputs[2:]]
    return any(shape != sequences for shape in lengths) and all(prod(shape) == prod(sequences) for shape in lengths)


def pools_nothing(use: Use) -> bool:
    return min(each(use, "kernel")) < 1 <= min(each(use, "size"))


def more_samples(use: Use) -> bool:
    """Random numbers for more images than there are."""
    return len(use.inputs) > 1 and use.inputs[1].shape[0] > use.inputs[0].shape[0] and use.inputs[1].shape[1] == use.inputs[0].shape[1]


def weight_of_another_type(use: Use) -> bool:
    """A weight without axes, between tensors of one type."""
    x, end, *weight = use.inputs
    return x.dtype == end.dtype and any(not t.rank and t.dtype != x.dtype for t in weight)


def fused_unevenly(use: Use) -> bool:
    """More keys than values, or fewer, of a form that the fused kernel takes."""
    q, k, v = use.inputs[:3]
    fused = q.rank == k.rank == v.rank == 4 and q.shape[-1] == k.shape[-1] == v.shape[-1]
    return fused and k.shape[-2] != v.shape[-2]


def slides(use: Use) -> bool:
    """A window over what has no order, or not the same for queries and keys."""
    lengths = {t.shape[-2:-1] for t in use.inputs[:2]}
    return argument(use, "window") is not None and (not argument(use, "causal") or len(lengths) > 1)


def outside(use: Use) -> bool:
    """A bound beyond the least or the greatest number of a type of integers."""
    low, high = use.inputs[0].dtype.limits
    bounds = [value for _, value in use.args if not isinstance(value, bool)]
    return use.inputs[0].dtype.is_integer and any(not low <= value <= high for value in bounds)


def cubic_in_three_axes(use: Use) -> bool:
    return use.inputs[0].rank == 5 and argument(use, "mode") == "bicubic"


def of_several_types(use: Use) -> bool:
    return len({t.dtype for t in use.inputs}) > 1
