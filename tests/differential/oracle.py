"""What PyTorch itself says of a use: netc's own emitters are asked for the expression, netc's rules are not, and PyTorch runs it.

In: a `Use`, valid or not. Out: an `Answer`. Always: the tensors are tiny and on the CPU, or without numbers (PyTorch's meta device) where
an argument is so large that the result may not fit; of whole numbers as inputs, all 1 and all 0 are tried, as which of them are allowed
may depend on the operator. What matters in training only is asked in training.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from netc.compiler.backends.torch.code import Code, Device, LetCode, NestedResults, Ref, SelfMember
from netc.compiler.backends.torch.construction import Operators
from netc.compiler.backends.torch.printer import text
from netc.compiler.backends.torch.table import FUNCTIONS
from netc.compiler.backends.torch.tree import NameCode, rewrite
from netc.compiler.dims import Facts
from netc.compiler.ir.graph import OpNode, Value
from netc.compiler.ir.types import TensorType
from netc.compiler.ops.base import Operator, OperatorError, OpInputs, ParameterSpec
from netc.compiler.ops.kinds import AXES, AXIS, NumberKind, ScalarKind
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span
from tests.differential.references import DIRECT
from tests.differential.use import Use

LARGE = 1000
SMALL = (NumberKind, ScalarKind)
CELLS = frozenset(("gru_cell", "lstm_cell", "rnn_cell"))
FITS = 2**20
"""So many elements of a result are computed."""
ENDLESS = 100
"""So many layers are not made in any reasonable time."""
TRAINED = frozenset(("alpha_dropout", "attention", "channel_dropout", "drop_path", "dropout", "gru", "lstm", "multihead_attention", "rnn"))
UNCHECKED = frozenset(("conv_transpose",))
"""Without numbers, PyTorch does not look whether `output_padding` is small enough."""
NOWHERE = Span(SourceFile("use", ""), 0, 0)
# PyTorch itself lacks some half kernels on the CPU, which is no answer.
HALF_IS_MISSING = re.compile(r"not (?:implemented|supported) for '?(?:Half|BFloat16)|Half.*not (?:implemented|supported)")
# Nor is it one that a machine is too small for the result.
TOO_LARGE = re.compile(r"not enough memory|can't allocate memory|Storage size calculation overflowed|invalid storage size|numel.*overflow")


class Answer(Record):
    """`types`: element type and shape of each result; None if PyTorch refuses, and `why`. `unknown`: it could not be asked."""

    types: tuple[tuple[str, tuple[int, ...]], ...] | None
    why: str = ""
    unknown: bool = False


def ask(use: Use, results: int) -> Answer:
    """Runs the use. `results` counts those that are unpacked."""
    answers = [_ask(use, results, fill) for fill in ((1, 0) if any(not t.dtype.is_float for t in use.inputs) else (1,))]
    return next((a for a in answers if a.types is not None), answers[0])


def _is_large(use: Use) -> bool:
    """What is no size makes nothing large."""
    kinds = {name: arg.kind for name, arg in use.cls.signature.items()}
    values = [value for name, value in use.args if not isinstance(kinds.get(name), SMALL) and kinds.get(name) not in (AXIS, AXES)]
    return any(isinstance(n, int) and abs(n) >= LARGE for value in values for n in (value if isinstance(value, tuple) else (value,)))


def _ask(use: Use, results: int, fill: int) -> Answer:
    """Without numbers first where they might not fit; those that do are computed, as the meta device does not look at everything."""
    if any(name == "layers" and n > ENDLESS for name, n in use.args):
        return Answer(None, "it would not come to an end", unknown=True)
    if use.operator in CELLS and len({t.rank for t in use.inputs}) > 1:
        return Answer(None, "PyTorch reads beyond the end of a state, and crashes")
    if _is_large(use):
        answer = _answer(use, results, fill, "meta")
        if answer.types is None or any(prod(shape) > FITS for _, shape in answer.types):
            return Answer(None, "the meta device does not check it", unknown=True) if use.operator in UNCHECKED else answer
    return _answer(use, results, fill, "cpu")


def _answer(use: Use, results: int, fill: int, device: str) -> Answer:
    arrays = [_tensor(t, fill).to(device) for t in use.inputs]
    try:
        run = _direct(use) or _emitted(use, results)
    except Exception as error:  # whatever an emitter does with what it was never meant to be given
        return Answer(None, f"no expression: {error!r}", unknown=True)
    try:
        with torch.no_grad(), torch.device(device):
            out = run(*arrays)
    except Exception as error:  # PyTorch refuses by exceptions of many kinds
        unknown = isinstance(error, NotImplementedError) or bool(HALF_IS_MISSING.search(str(error)) or TOO_LARGE.search(str(error)))
        return Answer(None, f"{type(error).__name__}: {error}".split("\n")[0], unknown=unknown)
    flat = _flat(out)[:results]
    return Answer(tuple((str(t.dtype).removeprefix("torch."), tuple(t.shape)) for t in flat))


def _tensor(type_: TensorType, fill: int) -> torch.Tensor:
    shape, dtype = [int(d) for d in type_.shape], getattr(torch, type_.dtype.name)
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
        if type_.dtype.is_float
        else torch.full(shape, fill, dtype=dtype)
    )


def _flat(out: Any) -> list[torch.Tensor]:
    if isinstance(out, torch.Tensor):
        return [out]
    return [t for part in out for t in _flat(part)]


# --- by the emitters -------------------------------------------------------------------------------------------------------------


def _emitted(use: Use, results: int) -> Callable[..., Any]:
    op = use.build()
    given = op.bind(use.inputs, Facts.nothing())
    inputs = tuple(Value(t, NOWHERE) for t in use.inputs)
    outputs = tuple(Value(t, NOWHERE) for t in _types(op, given, results))
    specs: tuple[ParameterSpec, ...] = ()
    node = OpNode(op, inputs, outputs, "stage", NOWHERE, specs)
    operators = Operators(Facts.nothing())
    training = use.operator in TRAINED
    space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "self": SimpleNamespace(training=training)}
    if type(op) not in FUNCTIONS:
        made = text(_resolved(operators.constructor(node)))

        def prepare() -> None:
            space["stage"] = eval(made, space).train(training)
    else:

        def prepare() -> None:
            pass

    code = operators.expression(node)
    bindings, result = (code.bindings, code.result) if isinstance(code, LetCode) else ((), code)
    lines = [(name, text(_resolved(part))) for name, part in bindings]
    last = text(_resolved(result.result if isinstance(result, NestedResults) else result))

    def run(*arrays: torch.Tensor) -> Any:
        prepare()
        local = {f"x{i}": array for i, array in enumerate(arrays)}
        for name, line in lines:
            local[name] = eval(line, space, local)
        return eval(last, space, local)

    return run


def _types(op: Operator, given: OpInputs, results: int) -> tuple[TensorType, ...]:
    """Those that the operator infers; if it refuses, as many as were wanted of any kind."""
    try:
        return op.infer(given)[:results]
    except OperatorError:
        return given.types[:1] * results


def _resolved(code: Code) -> Code:
    def change(part: Code) -> Code | None:
        match part:
            case Ref(index):
                return NameCode(f"x{index}")
            case SelfMember():
                return NameCode("stage")
            case Device():
                return NameCode("x0.device")
        return None

    return rewrite(code, change)


def _direct(use: Use) -> Callable[..., Any] | None:
    made = DIRECT.get(use.operator)
    return None if made is None else made(use.build())
