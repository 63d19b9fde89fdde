"""Operators as others that have derivatives, where neither a rule nor the operator's own definition is of use.

Each form is text in netc's language, like the definition of an operator: its inputs, parameters and arguments are names. An operator that
chooses elements, such as `sort`, is written as the look-up of what it chose: the choice itself has no derivative.

    >>> print(FORMS["sort"])
    (_, places) = x -> detach -> sort axis=axis descending=descending stable=stable
    values = x -> gather index=places axis=axis
    out values, places
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from ..ir.graph import OpNode
from .attention_forms import write_multihead_attention
from .cell_forms import CELL_FORMS
from .loss_forms import LOSS_FORMS
from .resampling_forms import write_adaptive_avg_pool, write_upsample
from .rule_parts import list_axes

Form = str | Callable[[OpNode], str]

_CHANNELS = "let sizes = [x.shape[1]] + [1] * (x.rank - 2)"
_SCALE = """
    scaled = if given(weight) { y * (weight -> reshape sizes) } else { y }
    if given(bias) { scaled + (bias -> reshape sizes) } else { scaled }
"""
_RUNNING = f"""
    {_CHANNELS}
    y = (x - (running_mean -> reshape sizes)) / (sqrt(running_var + eps) -> reshape sizes)
    {_SCALE}
"""


def _normalize_over(axes: str) -> str:
    return f"""
        let axes = {axes}
        {_CHANNELS}
        centered = x - (x -> mean axis=axes keepdim=true)
        y = centered / sqrt((centered * centered -> mean axis=axes keepdim=true) + eps)
        {_SCALE}
    """


def _batch_norm(node: OpNode) -> str:
    return _RUNNING if node.op.args["track_running_stats"] else _normalize_over("[0] + [axis for axis in 2..x.rank]")


def _instance_norm(node: OpNode) -> str:
    return _RUNNING if node.op.args["track_running_stats"] else _normalize_over("[axis for axis in 2..x.rank]")


def _conv(node: OpNode) -> str:
    """Another `padding_mode` than zeros is a `pad` before the convolution."""
    if node.op.args["padding_mode"] == "zeros":
        return ""
    windows = node.op.make_windows(node.inputs[0].type)  # type: ignore[attr-defined]
    padding = [amount for window in reversed(windows) for amount in (window.before, window.after)]
    return f"""
        padded = x -> pad {padding} mode=padding_mode
        tensors = if given(bias) {{ (padded, weight, bias) }} else {{ (padded, weight) }}
        tensors -> conv channels kernel stride=stride dilation=dilation groups=groups
    """


_SOURCES = {
    "reflect": "(size - 1) - abs((size - 1) - abs(i - before))",
    "replicate": "max(0, min(size - 1, i - before))",
    "circular": "(i - before) % size",
}


def _pad(node: OpNode) -> str:
    """Read the elements that are repeated by their indices, along one axis after the other."""
    mode, rank = node.op.args["mode"], node.inputs[0].type.rank
    if mode == "constant":
        return ""
    count = len(node.op.args["padding"])
    # Wrapping comes after what is cut off.
    cut = ", ".join(f"min(0, padding[{i}])" for i in range(count))
    lines = [f"y0 = x -> pad [{cut}]" if mode == "circular" else "y0 = x"]
    for i in range(0, count, 2):
        ends = [f"max(0, padding[{j}])" if mode == "circular" else f"padding[{j}]" for j in (i, i + 1)]
        axis = rank - 1 - i // 2
        source = _SOURCES[mode].replace("size", f"y{i // 2}.shape[{axis}]").replace("before", f"({ends[0]})")
        lines.append(f"rows{i} = table (i) [y{i // 2}.shape[{axis}] + ({ends[0]}) + ({ends[1]})] = {source}")
        lines.append(f"y{i // 2 + 1} = (y{i // 2}, rows{i}) -> index_select {axis}")
    return "\n".join([*lines, f"identity(y{count // 2})"])


def _max(node: OpNode) -> str:
    """Along one axis, PyTorch chooses one of equal elements."""
    axis, rank = node.op.args["axis"], node.inputs[0].type.rank
    if axis is None or len(axis) != 1 or not rank:
        return ""
    squeezed = "" if node.op.args["keepdim"] else f" -> squeeze ({axis[0]})"
    return f"""
        (_, places) = x -> detach -> {node.op.name} axis={axis[0]} keepdim=true
        values = x -> gather index=places axis={axis[0]}{squeezed}
        out values, places{squeezed}
    """


def _prod(node: OpNode) -> str:
    """Multiply halves, then quarters and so on: a quotient of the product would be undefined at zero."""
    x, axis = node.inputs[0].type, node.op.args["axis"]
    if not x.rank:
        return "identity(x)"
    if axis is None:
        sizes, place, start = x.shape, 0, "y0 = x -> flatten start=0"
    else:
        (place,) = list_axes(axis, x.rank)
        sizes, start = x.shape[place : place + 1], "y0 = x"
    if not all(isinstance(size, int) for size in sizes):
        return ""
    lines, size = [start], prod(int(str(size)) for size in sizes)
    while size > 1:
        half, before = size // 2, f"y{len(lines) - 1}"
        first, second, rest = (f"({before} -> slice {place} {i} {j})" for i, j in ((0, half), (half, 2 * half), (2 * half, size)))
        lines.append(f"y{len(lines)} = " + (f"({first} * {second}, {rest}) -> concat {place}" if size % 2 else f"{first} * {second}"))
        size -= half
    kept = [1 if axis is None or a == place else f"x.shape[{a}]" for a in range(x.rank)]
    shape = kept if node.op.args["keepdim"] else [size for size in kept if size != 1]
    return "\n".join([*lines, f"y{len(lines) - 1} -> reshape [{', '.join(map(str, shape))}]"])


def _cumprod(node: OpNode) -> str:
    """Multiply by the product of 1, 2, 4, ... elements before, as a parallel scan does."""
    x = node.inputs[0].type
    if not x.rank:
        return "identity(x)"
    axis = int(node.op.args["axis"]) % x.rank
    size = x.shape[axis]
    if not isinstance(size, int):
        return ""
    lines, step = ["y0 = x"], 1
    while step < size:
        before = f"y{len(lines) - 1}"
        tail = f"({before} -> slice {axis} {step} {size}) * ({before} -> slice {axis} 0 {size - step})"
        lines.append(f"y{len(lines)} = ({before} -> slice {axis} 0 {step}, {tail}) -> concat {axis}")
        step *= 2
    return "\n".join([*lines, f"identity(y{len(lines) - 1})"])


def _diff(node: OpNode) -> str:
    lines = ["y0 = x"]
    for _ in range(int(node.op.args["n"])):
        before = f"y{len(lines) - 1}"
        lines.append(f"y{len(lines)} = ({before} -> slice axis start=1) - ({before} -> slice axis stop=-1)")
    return "\n".join([*lines, f"identity(y{len(lines) - 1})"])


def _choose(call: str) -> str:
    return f"(_, places) = x -> detach -> {call}\nvalues = x -> gather index=places axis=axis\nout values, places"


def _make_pool_form(call: str) -> str:
    return f"""
        (_, places) = x -> detach -> {call}
        values = x -> flatten 2 -> gather index=(places -> flatten 2) axis=2 -> reshape places.shape
        out values, places
    """


def _lp_pool(node: OpNode) -> str:
    """The formula of torch.nn.functional.lp_pool2d."""
    count = prod(window.taps for window in node.op.make_windows(node.inputs[0].type))  # type: ignore[attr-defined]
    return f"""
        means = x ** p -> avg_pool kernel stride=stride ceil_mode=ceil_mode
        (sign(means) * relu(abs(means)) * {count}) ** (1.0 / p)
    """


# Above 0 the exponential may overflow, and 0 times infinity is no gradient.
_EXPONENTIAL = "expm1(clamp(x, max=0){})"

FORMS: dict[str, Form] = {
    **LOSS_FORMS,
    **CELL_FORMS,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "local_response_norm": """
        rows = x -> square -> flatten 2 -> unsqueeze 1 -> pad [0, 0, size // 2, (size - 1) // 2]
        means = rows -> avg_pool [size, 1] stride=1 -> reshape x.shape
        x / (means * alpha + k) ** beta
    """,
    "elu": f"where(x > 0, x, alpha * {_EXPONENTIAL.format('')})",
    "celu": f"where(x > 0, x, alpha * {_EXPONENTIAL.format(' / alpha')})",
    "selu": f"1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * {_EXPONENTIAL.format('')})",
    "relu6": "x -> hardtanh 0 6",
    "hardsigmoid": "(x + 3 -> hardtanh 0 6) / 6",
    "hardswish": "x * (x + 3 -> hardtanh 0 6) / 6",
    "conv": _conv,
    "pad": _pad,
    "lp_pool": _lp_pool,
    "adaptive_avg_pool": write_adaptive_avg_pool,
    "upsample": write_upsample,
    "multihead_attention": write_multihead_attention,
    "max_pool": _make_pool_form("max_pool kernel stride=stride ceil_mode=ceil_mode padding=padding dilation=dilation"),
    "adaptive_max_pool": _make_pool_form("adaptive_max_pool size"),
    # Over two axes, so that equal elements get equal shares.
    "global_max_pool": "x -> unsqueeze (-1) -> max axis=[axis for axis in 2..x.rank + 1]",
    "max": _max,
    "min": _max,
    "sort": _choose("sort axis=axis descending=descending stable=stable"),
    "topk": _choose("topk k axis=axis largest=largest sorted=sorted"),
    "cummax": _choose("cummax axis=axis"),
    "cummin": _choose("cummin axis=axis"),
    "prod": _prod,
    "cumprod": _cumprod,
    "diff": _diff,
    "cdist": "(x -> unsqueeze (-2)) - (other -> unsqueeze (-3)) -> norm p axis=-1",
    "bilinear": """
        y = (a, weight, b) -> einsum "...i,oij,...j->...o"
        if given(bias) { y + bias } else { y }
    """,
}
"""By operator: the text, or what gives the text for a node. An empty text says that there is none for it."""


def find_form(node: OpNode) -> str:
    """The text for a node, or an empty one."""
    form = FORMS.get(node.op.name, "")
    return form if isinstance(form, str) else form(node)
