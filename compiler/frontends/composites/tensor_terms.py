"""Writes tensors as terms, in a normal form in which equal arithmetic looks alike.

    0.5 * x * (1 + erf(x / 1.4142))   and   (x / 2) * (erf(x * 0.7071) + 1)   are both   0.5 * {x, 1 + erf(0.7071 * x)}

In: the operators that make tensors. Out: the term of a tensor. Always: products and quotients are one product with a number and powers of
its factors; sums and differences are one sum with a number and multiples of its parts, of which the largest is 1; squares, roots and
reciprocals are powers. What is no arithmetic is a call of its operator. The order of axes is one `permute`, and the number of a factor of
`matmul` is in front of it, as in `softmax(0.125 * matmul(q, permute(k)))`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from netc.dsl.record import Record

from ...dims import SymDim
from ...ir.graph import OpNode
from ...ir.graph_values import Value
from ...ops.linear_algebra import Matmul
from ...ops.regularization import Dropout, Identity
from ...ops.shape import Permute, Transpose

_DEEPEST = 10
"""The depth to which a tensor is looked into. No definition has more operators one after another."""

_LARGEST = 500
"""The number of operators that a term may have. No definition has a tenth of it."""


class Term(Record):
    """One of the kinds below."""


class Leaf(Term):
    """A tensor that is not looked into. `key` is the `id` of its value."""

    key: int


class Product(Term):
    """`number` times powers of factors: other terms, each once."""

    number: float
    factors: tuple[tuple[Term, float], ...]


class Sum(Term):
    """`number` and multiples of parts: other terms, each once."""

    number: float
    parts: tuple[tuple[Term, float], ...]


class Call(Term):
    """An operator with its arguments, on terms. Two draws of dropout are two terms, so `draw` is the `id` of the result of an operator that
    draws."""

    name: str
    arguments: tuple[tuple[str, Any], ...]
    inputs: tuple[Term, ...]
    draw: int = 0


ONE = Product(1.0, ())


def multiply_terms(number: float, factors: Mapping[Term, float]) -> Term:
    """Return a product in normal form."""
    total, powers = number, dict[Term, float]()
    for factor, power in factors.items():
        inner = factor if isinstance(factor, Product) else Product(1.0, ((factor, 1.0),))
        # A root of a negative number is NaN, so its sign must not leave the root. The reciprocal of 0 is infinite.
        if (inner.number < 0 and power != int(power)) or (inner.number == 0 and power < 0):
            inner = Product(1.0, ((factor, 1.0),))
        total *= inner.number**power
        for base, exponent in inner.factors:
            powers[base] = powers.get(base, 0.0) + exponent * power
    kept = tuple(sorted(((base, power) for base, power in powers.items() if power), key=_sort_key))
    return kept[0][0] if total == 1 and len(kept) == 1 and kept[0][1] == 1 else Product(total, kept)


def add_terms(number: float, parts: Mapping[Term, float]) -> Term:
    """Return a sum in normal form: a number times a sum whose largest part is 1, so `2 * a + 4 * b` and `a + 2 * b` have the same sum."""
    total, multiples = number, dict[Term, float]()
    for part, multiple in parts.items():
        scale, bare = split_number(part)
        if isinstance(bare, Sum):
            total += bare.number * scale * multiple
            for inner, weight in bare.parts:
                multiples[inner] = multiples.get(inner, 0.0) + weight * scale * multiple
        else:
            multiples[bare] = multiples.get(bare, 0.0) + scale * multiple
    kept = {part: multiple for part, multiple in multiples.items() if multiple}
    if not kept:
        return Product(total, ())
    if len(kept) == 1 and not total:
        ((part, multiple),) = kept.items()
        return multiply_terms(multiple, {part: 1.0})
    # Dividing by the largest part makes sums that differ by a factor equal.
    largest = max(kept.values(), key=abs)
    parts_ = tuple(sorted(((part, multiple / largest) for part, multiple in kept.items()), key=_sort_key))
    return multiply_terms(largest, {Sum(total / largest, parts_): 1.0})


def split_number(term: Term) -> tuple[float, Term]:
    """Split a term into a number and a term without one."""
    if not isinstance(term, Product):
        return 1.0, term
    return term.number, multiply_terms(1.0, dict(term.factors))


def _sort_key(item: tuple[Term, float]) -> str:
    return repr(item)


class Terms:
    """The term of one tensor, and the terms of the tensors that it is computed from.

    `maker` returns the operator whose first result a tensor is, or None for a tensor that is not looked into. Tensors that are `_DEEPEST`
    operators away, or computed by more than `_LARGEST`, are not looked into either, so that a term is small however deep the network is.
    """

    def __init__(self, maker: Callable[[Value], OpNode | None], root: Value) -> None:
        self._makers, self._root = _find_makers(maker, root), root
        self._known: dict[int, Term] = {}
        self._sizes: dict[int, int] = {}
        """The number of operators in the term of each tensor, each counted as often as the term has it."""
        self._values: dict[Term, Value] = {}
        self.term = self._make_term(root)

    def find_value(self, term: Term) -> Value | None:
        """Return a tensor with this term that the root is computed from, or None."""
        return self._values.get(term)

    def find_source(self, term: Term) -> tuple[Value, tuple[int, ...]] | None:
        """Return a tensor that the root is computed from, and the order of its axes in this term, or None."""
        value = self.find_value(term)
        if value is not None:
            return value, (*range(value.type.rank),)
        match term:
            case Call("permute", ((_, order),), (x,)):
                value = self.find_value(x)
        return None if value is None else (value, tuple(axis % value.type.rank for axis in complete_order(order, value.type.rank)))

    def find_steps(self, inputs: Collection[Term]) -> list[OpNode]:
        """Return the operators between these terms and the root, each once, in order."""
        steps: dict[int, OpNode] = {}

        def add(value: Value) -> None:
            node = self._makers.get(id(value))
            if node is not None and id(value) not in steps and self._known.get(id(value)) not in inputs:
                for operand in node.inputs:
                    add(operand)
                steps[id(value)] = node

        add(self._root)
        return [*steps.values()]

    def _make_term(self, value: Value) -> Term:
        if id(value) not in self._known:
            node = self._makers.get(id(value))
            term = (None if node is None else self._make_node_term(node)) or Leaf(id(value))
            self._sizes[id(value)] = 1
            if node is not None and not isinstance(term, Leaf):
                self._sizes[id(value)] += sum(self._sizes[id(operand)] for operand in node.inputs)
            self._known[id(value)] = term
            self._values.setdefault(term, value)
        return self._known[id(value)]

    def _make_node_term(self, node: OpNode) -> Term | None:
        # Integer arithmetic rounds and overflows, so the laws of terms do not hold for it.
        if node.specs or not node.inputs or not node.outputs[0].type.dtype.is_float:
            return None
        inputs = [self._make_term(value) for value in node.inputs]
        # A step that reads its input three times triples the term: a chain of 60 such steps would have no end.
        if sum(self._sizes[id(value)] for value in node.inputs) > _LARGEST:
            return None
        match node.op:
            case Dropout(p=0) | Identity():
                return inputs[0]
            case Matmul():
                return self._make_linear_term(inputs, lambda bare: Call("matmul", (), bare))
            case Permute() | Transpose() as op:
                rank = node.inputs[0].type.rank
                order = tuple(axis - rank for axis in op.axis_order(node.inputs[0].type))
                return self._make_linear_term(inputs, lambda bare: permute_term(order, *bare))
        write = _ARITHMETIC.get(node.op.name)
        if write is None:
            return _make_call_term(node, inputs)
        inputs = [_strip_expand(term) for term in inputs]
        number = node.op.args.get("other")
        if len(inputs) == 1 and node.op.name in _OF_TWO:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                return None
            inputs.insert(0 if node.op.args.get("reverse") else 1, Product(float(number), ()))
        return write(*inputs)

    def _make_linear_term(self, inputs: list[Term], write: Callable[[tuple[Term, ...]], Term]) -> Term:
        """Write a linear operator with the numbers of its inputs in front.

        A tensor that does not exist without its number keeps it: `2 * a - b` is no multiple of another tensor.
        """
        total, bare = 1.0, list[Term]()
        for term in inputs:
            number, rest = split_number(term)
            total, rest = (total * number, rest) if self.find_source(rest) is not None else (total, term)
            bare.append(rest)
        return multiply_terms(total, {write(tuple(bare)): 1.0})


def permute_term(order: tuple[int, ...], x: Term) -> Term:
    """Return the term whose axis `i` is the axis `order[i]` of `x`.

    Axes count from the end, and axes in front that stay are left out. So a swap of the last two is `(-1, -2)` for all ranks.
    """
    if isinstance(x, Call) and x.name == "permute":
        ((_, first),), (x,) = x.arguments, x.inputs
        first = complete_order(first, len(order))
        order = tuple(first[axis] for axis in complete_order(order, len(first)))
    while order and order[0] == -len(order):
        order = order[1:]
    return Call("permute", (("axes", order),), (x,)) if order else x


def complete_order(order: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Add the axes in front that stay to an order.

    >>> complete_order((-1, -2), 4)
    (-4, -3, -1, -2)
    """
    return (*range(-rank, -len(order)), *order)


def _strip_expand(term: Term) -> Term:
    """Drop an `expand` in front of arithmetic, which broadcasts by itself. Other operators do not: a sum over an axis counts each
    element."""
    return term.inputs[0] if isinstance(term, Call) and term.name == "expand" else term


def _find_makers(maker: Callable[[Value], OpNode | None], root: Value) -> dict[int, OpNode]:
    """Map tensors that the root is computed from to their operators, by the tensors' `id`."""
    result: dict[int, OpNode] = {}
    level = [root]
    # Breadth first, so that the shortest way to a tensor decides whether it is looked into.
    for _ in range(_DEEPEST):
        nodes = [(value, maker(value)) for value in level if id(value) not in result]
        computed = [(value, node) for value, node in nodes if node is not None]
        result.update((id(value), node) for value, node in computed)
        level = [value for _, node in computed for value in node.inputs]
    return result


def _divide_terms(a: Term, b: Term) -> Term | None:
    return None if isinstance(b, Product) and not b.number else multiply_terms(1.0, _collect_items((a, 1.0), (b, -1.0)))


def _raise_term(a: Term, b: Term) -> Term | None:
    return multiply_terms(1.0, {a: b.number}) if isinstance(b, Product) and not b.factors and isinstance(a, Term) else None


def _collect_items(*items: tuple[Term, float]) -> dict[Term, float]:
    totals: dict[Term, float] = {}
    for term, number in items:
        totals[term] = totals.get(term, 0.0) + number
    return totals


def _sum_terms(a: Term, b: Term, times: float = 1.0) -> Term:
    number, parts = 0.0, dict[Term, float]()
    for term, multiple in ((a, 1.0), (b, times)):
        if isinstance(term, Product) and not term.factors:
            number += term.number * multiple
        else:
            parts[term] = parts.get(term, 0.0) + multiple
    return add_terms(number, parts)


_OF_TWO = ("add", "sub", "mul", "div", "pow")
_ARITHMETIC: dict[str, Callable[..., Term | None]] = {
    "add": _sum_terms,
    "sub": lambda a, b: _sum_terms(a, b, -1.0),
    "mul": lambda a, b: multiply_terms(1.0, _collect_items((a, 1.0), (b, 1.0))),
    "div": _divide_terms,
    "pow": _raise_term,
    "neg": lambda a: multiply_terms(-1.0, {a: 1.0}),
    "square": lambda a: multiply_terms(1.0, {a: 2.0}),
    "sqrt": lambda a: multiply_terms(1.0, {a: 0.5}),
    "rsqrt": lambda a: multiply_terms(1.0, {a: -0.5}),
    "reciprocal": lambda a: multiply_terms(1.0, {a: -1.0}),
}


CLAMPS = frozenset({"clamp", "relu6", "hardtanh"})
"""The operators whose term is a call of `clamp`."""


def _make_call_term(node: OpNode, inputs: list[Term]) -> Term:
    """Write an operator that is not arithmetic as a call.

    `relu6` and `hardtanh` are `clamp`, whose input has no number in front. Axes count from 0.
    """
    name, arguments = node.op.name, dict(node.op.args)
    if name in ("relu6", "hardtanh"):
        low, high = (0, 6) if name == "relu6" else (arguments["min_val"], arguments["max_val"])
        name, arguments = "clamp", {"min": low, "max": high}
    rank = node.inputs[0].type.rank
    axis = arguments.get("axis")
    if axis is not None and rank:
        arguments["axis"] = tuple(sorted(single % rank for single in (axis if isinstance(axis, tuple) else (axis,))))
    if name == "clamp":
        return _make_clamp_term(arguments["min"], arguments["max"], inputs[0])
    # Equal calls of an operator that draws are different tensors.
    draw = id(node.outputs[0]) if node.op.may_draw else 0
    return Call(name, tuple(sorted(arguments.items(), key=lambda item: item[0])), tuple(inputs), draw)


def _make_clamp_term(low: Any, high: Any, x: Term) -> Term:
    """Write a `clamp` without a number in front of its input: `clamp(x / 6 + 0.5, 0, 1)` is `clamp(x + 3, 0, 6) / 6`."""
    # A bound may be a symbolic size, such as the width of an image to which boxes are clipped.
    if isinstance(low, SymDim) or isinstance(high, SymDim):
        return Call("clamp", (("max", high), ("min", low)), (x,))
    scale, bare = split_number(x)
    # A negative factor would swap the bounds.
    if scale <= 0:
        scale, bare = 1.0, x
    bounds = tuple((name, None if value is None else float(value) / scale) for name, value in (("max", high), ("min", low)))
    return multiply_terms(scale, {Call("clamp", bounds, (bare,)): 1.0})
