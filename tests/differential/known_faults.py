"""Where ONNX Runtime is known to compute something else than PyTorch, of numbers that few models ever meet.

In: an operator. Out: whether a fault covers it. Always: a fault holds for some kinds of numbers (hard_numbers.py), some operators, and
those of their arguments that its condition describes; test_faults.py finds for each a model that shows it, so that what is mended goes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isinf

from netc.compiler.ops import Operator
from netc.dsl.record import Record


class Fault(Record):
    """`why`: what computes it otherwise."""

    kinds: tuple[str, ...]
    operators: tuple[str, ...]
    why: str
    when: Callable[[Operator], bool] = lambda op: True

    def covers(self, op: Operator) -> bool:
        return op.name in self.operators and self.when(op)


def _smooth(op: Operator) -> bool:
    return not op.args["mode"].startswith("nearest")


NAN, INFINITE = "nan", "infinite"
FAULTS = (
    # what a model may well meet
    Fault(
        ("constant", "far"),
        ("group_norm",),
        "ONNX Runtime takes GroupNormalization apart and computes the variance as E[x^2] - E[x]^2, which cancels and falls below 0",
    ),
    # NaN
    Fault((NAN,), ("argsort", "sort", "topk"), "ONNX's TopK does not say where NaN goes, and ONNX Runtime leaves the others out of order"),
    Fault(
        (NAN,),
        ("adaptive_max_pool", "argmax", "argmin", "global_max_pool", "max", "max_pool", "min"),
        "ONNX Runtime's ReduceMax, ArgMax and MaxPool pass over NaN",
    ),
    Fault((NAN, INFINITE), ("cdist",), "PyTorch's greatest difference passes over NaN in some positions", lambda op: isinf(op.args["p"])),
    Fault((NAN,), ("norm", "normalize"), "ONNX Runtime's ReduceMax passes over NaN", lambda op: isinf(op.args["p"])),
    Fault(
        (NAN,),
        ("scatter_reduce",),
        "ONNX Runtime's ScatterElements passes over NaN where it compares",
        lambda op: op.args["reduce"] in ("amax", "amin"),
    ),
    Fault((NAN,), ("hardshrink", "softshrink", "threshold"), "the comparison that chooses is false for NaN, and the other number is taken"),
    Fault((NAN,), ("sign",), "of NaN, PyTorch's sign is 0, and ONNX Runtime's NaN"),
    Fault(
        (NAN, INFINITE),
        ("fft", "ifft", "irfft", "istft", "rfft", "stft"),
        "a fast transform spreads what is not finite as its steps have it, and these differ",
    ),
    # a weight of 0 does not hide what is not finite
    Fault((NAN, INFINITE), ("adaptive_avg_pool",), "pieces of unequal sizes are a product of matrices, whose zeros make NaN"),
    Fault((NAN, INFINITE), ("upsample",), "weights of 0 in products of matrices, and in Resize, make NaN", _smooth),
    Fault((NAN, INFINITE), ("grid_sample",), "PyTorch leaves out what is outside, ONNX Runtime weighs it by 0"),
    Fault((NAN, INFINITE), ("local_response_norm",), "the mean over channels runs on through its window, and keeps what is not finite"),
    Fault((NAN, INFINITE), ("attention",), "ONNX Runtime hides keys by adding to their scores, PyTorch by leaving them out"),
    # bounds of kernels
    Fault((NAN, INFINITE), ("gru", "lstm"), "ONNX Runtime's kernels bound the arguments of sigmoid and tanh, and lose NaN"),
    Fault(
        (NAN, INFINITE),
        ("rnn",),
        "ONNX Runtime's kernel computes relu as a maximum, and loses NaN",
        lambda op: op.args["nonlinearity"] == "relu",
    ),
    Fault(
        (INFINITE,),
        ("clamp",),
        "ONNX Runtime's Clip takes the least or greatest finite number for a bound that is not given",
        lambda op: op.args["min"] is None or op.args["max"] is None,
    ),
    Fault((INFINITE,), ("max_pool",), "ONNX Runtime's MaxPool starts from the least finite number", lambda op: op.args["ceil_mode"]),
    Fault((INFINITE,), ("gelu",), "ONNX Runtime multiplies an infinite number by 0", lambda op: op.args["approximate"] == "none"),
    Fault((INFINITE,), ("floor_div",), "of a number by an infinite one, PyTorch rounds down to -1 or 0; ONNX's remainder is no number"),
    # no fault: documented
    Fault(("zero",), ("topk",), "which of equal elements comes first is not promised"),
)
