"""Where ONNX Runtime is known to compute something else than PyTorch, of numbers that few models ever meet: what the operators' pages and a
note of `netc compile` say, and nothing else.

In: an operator's node. Out: whether a fault covers it. Always: a fault holds for some kinds of numbers (hard_numbers.py), some operators,
and the uses of them that its condition describes. test_faults.py finds for each a model that shows it, so that a mended fault is removed.
"""

from __future__ import annotations

from collections.abc import Callable

from netc.compiler.backends.onnx.kernel_differences import DIFFERENCES, INFINITE, LARGE_FLOATS, LARGE_INTEGERS
from netc.compiler.ir.graph import OpNode
from netc.compiler.ops import Operator
from netc.compiler.ops.sorting import Bucketize, Topk
from netc.dsl.record import Record


class Fault(Record):
    """`why`: what computes it otherwise."""

    kinds: tuple[str, ...]
    operators: tuple[type[Operator], ...]
    why: str
    covers: Callable[[OpNode], bool]


def _is_topk(node: OpNode) -> bool:
    return isinstance(node.op, Topk) and len(node.outputs) > 1


def _kinds(numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Further kinds that have such numbers."""
    return (*numbers, "mixed", *(("lowest",) if INFINITE in numbers else ()))


FAULTS = (
    *(
        Fault(_kinds(d.numbers), tuple(Operator.registry[name] for name in d.operators), d.text, d.applies_to)
        for d in DIFFERENCES
        if not {LARGE_INTEGERS, LARGE_FLOATS} & set(d.numbers)  # integer_ends.py and test_large_floats.py have those
    ),
    Fault(("zero", "lowest"), (Topk,), "no fault: PyTorch and the page do not promise which of equal elements comes first", _is_topk),
    Fault(
        ("nan", "mixed"),
        (Bucketize,),
        "no fault: where PyTorch's search passes a NaN among the boundaries depends on the way it takes; the page excludes it",
        lambda node: isinstance(node.op, Bucketize) and node.inputs[1].type.dtype.is_float,
    ),
)
