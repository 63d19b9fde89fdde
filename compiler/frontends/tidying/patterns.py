"""Several operators that are one: what PyTorch modules write out, by hand or by habit.

In: a view of a graph, and a node that may be the last of a pattern. Out: nothing; the node is another operator if the pattern is there.
Always: a pattern compares all numbers and axes that it depends on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...dims import SymDim
from ...ir.graph import Node, OpNode
from ...ir.values import Value
from ...ops.activation import Gelu, Tanh
from ...ops.arithmetic import Add, Div, Mul, Pow, Sub
from ...ops.attention import Attention
from ...ops.base import Operator
from ...ops.constants import ParamOperator
from ...ops.elementwise import Rsqrt, Square
from ...ops.normalization import RMSNorm
from ...ops.rearrange import Rearrange
from ...ops.reduction import Mean
from ...ops.shape import Expand, Reshape, Transpose, Unsqueeze
from .unit_vectors import broadcast, normalize
from .view import GraphView, pairs

Pattern = Callable[[GraphView, Node], None]


def _near(number: float, other: float) -> bool:
    return math.isclose(number, other, rel_tol=1e-6)


# --- what changes nothing ----------------------------------------------------------------------------------------------------


def identity(view: GraphView, node: Node) -> None:
    """A product with 1, a quotient by 1, a sum with 0; two axes that change places twice."""
    if not isinstance(node, OpNode) or len(node.inputs) != 1 or node.inputs[0].type != node.outputs[0].type:
        return
    (x,), op = node.inputs, node.op
    neutral = _NEUTRAL.get(type(op))
    if neutral is not None and op.scalars[:1] == (neutral,) and not op.number_first and not isinstance(op.scalars[0], bool):
        view.replace(node, x)
    elif isinstance(op, Transpose):
        before = view.made_by(x, Transpose)
        if before is not None and _axes(op, x.type.rank) == _axes(before.op, x.type.rank):
            view.replace(node, before.inputs[0])


_NEUTRAL: dict[type[Operator], int] = {Mul: 1, Div: 1, Add: 0, Sub: 0}


def _axes(op: Operator, rank: int) -> set[int]:
    return {op.args["a"] % rank, op.args["b"] % rank}


# --- root mean squares -------------------------------------------------------------------------------------------------------


def rms_norm(view: GraphView, node: Node) -> None:
    """`weight * (x * rsqrt(mean(x ** 2) + eps))`."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Mul):
        return
    for scale, scaled in pairs(node.inputs):
        weight, product = view.made_by(scale, ParamOperator), view.made_by(scaled, Mul)
        if weight is None or product is None or view.uses(scale) > 1 or not _is_weight(weight):
            continue
        for x, root in pairs(product.inputs):
            eps = _eps(view, x, root)
            if eps is not None and scale.type.shape == x.type.shape[-1:]:
                level = weight.label.rpartition(".")[0]
                if view.put(node, RMSNorm(**_defaults(RMSNorm, eps=eps)), (x,), level, frozen=weight.frozen):
                    view.graph.nodes.remove(weight)
                return


def _is_weight(node: OpNode) -> bool:
    return node.label.rpartition(".")[2] == "weight" and bool(node.op.args["trainable"])


def _eps(view: GraphView, x: Value, root: Value) -> float | None:
    """The number that is added to the mean of squares of `x` before the root is taken of it; None for anything else."""
    rsqrt = view.made_by(root, Rsqrt)
    shifted = view.shifted(rsqrt.inputs[0]) if rsqrt is not None else None
    mean = view.made_by(shifted[0], Mean) if shifted is not None else None
    if mean is None or shifted is None or not mean.op.args["keepdim"] or mean.op.args["axis"] not in ((-1,), (x.type.rank - 1,)):
        return None
    return shifted[1] if _is_square(view, mean.inputs[0], x) else None


def _is_square(view: GraphView, value: Value, x: Value) -> bool:
    node = view.made_by(value, Square, Pow, Mul)
    if node is None or any(one is not x for one in node.inputs):
        return False
    if isinstance(node.op, Pow):
        return len(node.inputs) == 1 and not node.op.number_first and node.op.scalars[0] == 2
    return isinstance(node.op, Square) or len(node.inputs) == 2


# --- gelu --------------------------------------------------------------------------------------------------------------------


def gelu(view: GraphView, node: Node) -> None:
    """`0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Mul):
        return
    number, tensors = view.factors(node.outputs[0])
    for x, other in pairs(tensors):
        shifted = view.shifted(other)
        tanh = view.made_by(shifted[0], Tanh) if _near(number, 0.5) and shifted is not None and shifted[1] == 1 else None
        if tanh is not None and _is_inside_of_gelu(view, x, tanh.inputs[0]):
            view.put(node, Gelu(approximate="tanh"), (x,))
            return


def _is_inside_of_gelu(view: GraphView, x: Value, value: Value) -> bool:
    number, tensors = view.factors(value)
    total = view.made_by(tensors[0], Add) if len(tensors) == 1 and _near(number, math.sqrt(2 / math.pi)) else None
    for one, cube in pairs(total.inputs if total is not None else ()):
        factor, powers = view.factors(cube)
        if one is x and _near(factor, 0.044715):
            return _is_cube(view, powers, x)
    return False


def _is_cube(view: GraphView, powers: list[Value], x: Value) -> bool:
    if len(powers) == 3:
        return all(one is x for one in powers)
    node = view.made_by(powers[0], Pow) if len(powers) == 1 else None
    return node is not None and node.inputs == (x,) and not node.op.number_first and node.op.scalars[0] == 3


# --- heads of attention ------------------------------------------------------------------------------------------------------


def split_heads(view: GraphView, node: Node) -> None:
    """`[N, T, h * d]` to `[N, h, T, d]`."""
    if not isinstance(node, OpNode) or not _swaps(node.op, 1, 2):
        return
    reshape = view.made_by(node.inputs[0], Reshape)
    if reshape is None or view.uses(node.inputs[0]) > 1:
        return
    before, after = reshape.inputs[0].type.shape, reshape.outputs[0].type.shape
    if len(before) == 3 and len(after) == 4 and before[:2] == after[:2] and not isinstance(after[2], SymDim):
        view.put(node, Rearrange(pattern="n t (h d) -> n h t d", sizes=(("h", after[2]),)), reshape.inputs)


def merge_heads(view: GraphView, node: Node) -> None:
    """`[N, h, T, d]` to `[N, T, h * d]`."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Reshape):
        return
    swap = view.maker(node.inputs[0])
    if swap is None or not _swaps(swap.op, 1, 2) or view.uses(node.inputs[0]) > 1:
        return
    before, after = node.inputs[0].type.shape, node.outputs[0].type.shape
    if len(before) == 4 and len(after) == 3 and before[:2] == after[:2]:
        view.put(node, Rearrange(pattern="n h t d -> n t (h d)", sizes=()), swap.inputs)


def _swaps(op: Operator, a: int, b: int) -> bool:
    return isinstance(op, Transpose) and {op.args["a"], op.args["b"]} in ({a, b}, {a - 4, b - 4}, {a, b - 4}, {a - 4, b})


def grouped_heads(view: GraphView, node: Node) -> None:
    """Keys and values whose heads are repeated for the queries: attention takes fewer heads of them."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Attention) or len(node.inputs) < 3:
        return
    q, k, v, *rest = node.inputs
    keys, values = _repeated_heads(view, k), _repeated_heads(view, v)
    if keys is not None and values is not None and keys.type.shape[1] == values.type.shape[1]:
        view.put(node, node.op, (q, keys, values, *rest))


def _repeated_heads(view: GraphView, value: Value) -> Value | None:
    """`[N, h, T, d]` of which `value` has each head several times in a row."""
    reshape = view.made_by(value, Reshape)
    expand = view.made_by(reshape.inputs[0], Expand) if reshape is not None else None
    single = view.made_by(expand.inputs[0], Unsqueeze) if expand is not None else None
    if single is None or expand is None or single.op.args["axis"] not in (2, -3):
        return None
    (x,), wide = single.inputs, expand.outputs[0].type.shape
    if x.type.rank != 4 or len(wide) != 5 or (*wide[:2], *wide[3:]) != x.type.shape:
        return None
    return x if value.type.shape == (wide[0], wide[1] * wide[2], *wide[3:]) else None


def _defaults(kind: type[Operator], **given: object) -> dict[str, object]:
    """All arguments of an operator, those that are not given with their defaults."""
    return {name: given.get(name, declared.default) for name, declared in kind.signature.items()}


PATTERNS: tuple[Pattern, ...] = (identity, rms_norm, gelu, split_heads, merge_heads, grouped_heads, normalize, broadcast)
