"""Lists where ONNX Runtime's kernels give other results than PyTorch's: for NaN and infinite numbers, for integers that float64 cannot
hold, and for queries whose keys a mask hides.

In: an operator, or a program. Out: the differences, for the operators' pages, and the operators that differ, for the note of `netc
compile`. Always: emitters mend what nodes can mend. Here is what kernels do inside, and what PyTorch's own kernels disagree about. The
differential tests show each entry, and that there are no others.

    >>> import netc
    >>> list_affected_operators(netc.compile("input 1x4x4 -> max_pool 2").program)
    {'for NaN or infinite inputs': ('max_pool',)}
"""

from __future__ import annotations

from collections.abc import Callable
from math import isinf

from netc.dsl.record import Record

from ...ir.graph import OpNode, Program
from ...ir.walk import collect_graphs
from ...ops.operator import Operator
from ...ops.reduction import Prod
from ...types.tensor_types import BOOL, FLOAT32, FLOAT64, INT64

NAN, INFINITE = "nan", "infinite"
LARGE_INTEGERS = "large integers"
LARGE_FLOATS = "large floats"
USUAL = "for NaN or infinite inputs"
BEYOND_FLOATS = "for integers beyond 2**53"
BEYOND_SQUARES = "for numbers above 1e19"
RARE = (USUAL, BEYOND_SQUARES)
"""The topics that `netc compile` notes with `--verbose` only, because nearly every network has an operator that they are about."""


class Difference(Record):
    """A difference. `numbers`: the kinds of numbers that it is about, if any. `operators`: by name, so that none is imported for this.
    `text`: a sentence. `when`: the uses of the operators that differ. `about`: the beginning of the note of `netc compile`."""

    numbers: tuple[str, ...]
    operators: tuple[str, ...]
    text: str
    when: Callable[[OpNode], bool] = lambda node: True
    about: str = USUAL

    def applies_to(self, node: OpNode) -> bool:
        return node.op.name in self.operators and self.when(node)


def _is_float(node: OpNode) -> bool:
    return node.inputs[0].type.dtype.is_float


def _has_float32(node: OpNode) -> bool:
    return node.inputs[0].type.dtype == FLOAT32


def _is_block_pool(node: OpNode) -> bool:
    """Whether an adaptive pool becomes a MaxPool: its windows are known, equal and adjacent."""
    sizes, counts = node.inputs[0].type.shape[2:], node.outputs[0].type.shape[2:]
    return _is_float(node) and all(isinstance(s, int) and isinstance(n, int) and s % n == 0 for s, n in zip(sizes, counts, strict=True))


def _has_mask(node: OpNode) -> bool:
    """Whether it has a mask, which may hide all keys."""
    return not {"attn_mask", "padding"}.isdisjoint(node.op.assign_operands(tuple(v.type for v in node.inputs)))


def _is_weighted_resize(node: OpNode) -> bool:
    """Whether Resize computes it, with weights."""
    return not str(node.op.args["mode"]).startswith("nearest") and node.op.args["mode"] not in ("area", "lanczos")


def _has_unknown_count(node: OpNode) -> bool:
    """Whether it is a product of int64 whose number of factors is known only at run time."""
    op, x = node.op, node.inputs[0].type
    axes = op.reduced_axes(x) if isinstance(op, Prod) else (op.args["axis"],)
    return node.outputs[0].type.dtype == INT64 and x.dtype != BOOL and not all(isinstance(x.shape[axis], int) for axis in axes if x.rank)


def _is_int64(node: OpNode) -> bool:
    return node.outputs[0].type.dtype == INT64


def _is_integer_power(node: OpNode) -> bool:
    """Whether it is a power of integers whose exponent is a tensor."""
    op = node.op
    return node.outputs[0].type.dtype.is_integer and (not op.scalars or op.number_first)


DIFFERENCES = (
    Difference(
        (NAN, INFINITE),
        ("max_pool",),
        "ONNX Runtime's MaxPool passes over NaN, and of a window of nothing but -infinity it may give the least finite number.",
        _is_float,
    ),
    Difference((NAN,), ("adaptive_max_pool",), "Where it is a MaxPool in ONNX, ONNX Runtime passes over NaN.", _is_block_pool),
    Difference(
        (NAN, INFINITE),
        ("upsample",),
        "In modes with weights, PyTorch and ONNX Runtime multiply other neighbors by 0: next to NaN or infinity one may give NaN, the "
        "other not.",
        _is_weighted_resize,
    ),
    Difference(
        (NAN, INFINITE),
        ("grid_sample",),
        "Next to NaN or infinity ONNX Runtime may give NaN where PyTorch does not: it multiplies by 0 what PyTorch leaves out. Of "
        "positions that are infinite, or 1e9 and more from the image, it takes other pixels.",
    ),
    Difference(
        (NAN, INFINITE),
        ("attention",),
        "Of NaN and infinity, PyTorch's kernels do not agree with each other, nor with ONNX Runtime: some leave out hidden keys, others "
        "add -infinity to their scores, which keeps NaN.",
    ),
    Difference(
        (),
        ("multihead_attention",),
        "For a query whose keys are all hidden, PyTorch's fast path for evaluation gives NaN, its other kernels and ONNX Runtime the bias "
        "of the last projection.",
        _has_mask,
        "for queries whose keys are all hidden",
    ),
    Difference(
        (NAN, INFINITE),
        ("gru", "lstm"),
        "ONNX Runtime's kernel bounds the arguments of sigmoid and tanh, and makes numbers of NaN.",
    ),
    Difference(
        (NAN, INFINITE),
        ("rnn",),
        "With `nonlinearity=relu`, ONNX Runtime's kernel makes 0 of NaN.",
        lambda node: node.op.args["nonlinearity"] == "relu",
    ),
    Difference(
        (INFINITE,),
        ("gelu",),
        "Of infinity, ONNX Runtime gives infinity; some of PyTorch's kernels give NaN.",
        lambda node: node.op.args["approximate"] == "none" and node.inputs[0].type.dtype != FLOAT64,
    ),
    Difference(
        (NAN, INFINITE),
        ("cdist",),
        "With `p=inf`, PyTorch's greatest difference passes over NaN in some positions.",
        lambda node: isinf(node.op.args["p"]),
    ),
    Difference(
        (NAN, INFINITE),
        ("fft", "ifft", "rfft", "irfft", "stft", "istft"),
        "NaN and infinities spread through the steps of a fast transform, and PyTorch and ONNX Runtime take different steps.",
    ),
    Difference(
        (LARGE_FLOATS,),
        ("var", "std"),
        "float32 cannot hold the squares of numbers above 1e19. ONNX Runtime gives infinity for them, while PyTorch computes in float64.",
        _has_float32,
        BEYOND_SQUARES,
    ),
    Difference(
        (LARGE_FLOATS,),
        ("layer_norm", "group_norm"),
        "float32 cannot hold the squares of numbers above 1e19. ONNX Runtime gives 0 for them, while PyTorch's kernel may give NaN.",
        _has_float32,
        BEYOND_SQUARES,
    ),
    Difference(
        (LARGE_INTEGERS,),
        ("prod", "cumprod"),
        "If the number of factors is known only when the model runs, ONNX Runtime computes products of integers in float64, which is exact "
        "up to 2**53, and does not wrap around.",
        _has_unknown_count,
        BEYOND_FLOATS,
    ),
    Difference(
        (LARGE_INTEGERS,),
        ("einsum",),
        "ONNX Runtime adds up int64 in float64, which is exact up to 2**53, and does not wrap around.",
        _is_int64,
        BEYOND_FLOATS,
    ),
    Difference(
        (LARGE_INTEGERS,),
        ("pow",),
        "If the exponent of an integer is a tensor, powers above the 63rd differ, but for the bases -1, 0 and 1: they are beyond the range "
        "of the type, where PyTorch wraps around.",
        _is_integer_power,
        "for integer exponents above 63",
    ),
)


def describe_differences(operator: type[Operator]) -> tuple[str, ...]:
    """Return sentences about an operator's differences."""
    return tuple(d.text for d in DIFFERENCES if operator.name in d.operators)


def list_affected_operators(program: Program) -> dict[str, tuple[str, ...]]:
    """Return the names of the operators in a program that differ, sorted, by the topic of the note."""
    nodes = [node for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode)]
    names_by_topic: dict[str, set[str]] = {}
    for difference in DIFFERENCES:
        names_by_topic.setdefault(difference.about, set()).update(node.op.name for node in nodes if difference.applies_to(node))
    return {about: tuple(sorted(names)) for about, names in names_by_topic.items() if names}
