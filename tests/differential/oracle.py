"""What PyTorch itself says of a use: netc's own emitters are asked for the expression, netc's rules are not, and PyTorch runs it.

In: a `Use`, valid or not. Out: an `Answer`. Always: the tensors are tiny and on the CPU; of whole numbers as inputs, all 1 and all 0 are
tried, as which of them are allowed may depend on the operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from netc.compiler.backends.torch.code import Code, Device, Let, Own, Ref, Several
from netc.compiler.backends.torch.operators import Operators
from netc.compiler.backends.torch.printer import text
from netc.compiler.backends.torch.table import FUNCTIONS
from netc.compiler.backends.torch.tree import Name, rewrite
from netc.compiler.dims import Facts
from netc.compiler.graph import OpNode, Value
from netc.compiler.ops.base import Given, Operator, ParameterSpec, Refusal
from netc.compiler.types import TensorType
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span

from .use import Use

NOWHERE = Span(SourceFile("use", ""), 0, 0)
# PyTorch itself lacks some half kernels on the CPU, which is no answer.
HALF_IS_MISSING = re.compile(r"not (?:implemented|supported) for '?(?:Half|BFloat16)|Half.*not (?:implemented|supported)")


class Answer(Record):
    """`types`: element type and shape of each result; None if PyTorch refuses, and `why`. `unknown`: it could not be asked."""

    types: tuple[tuple[str, tuple[int, ...]], ...] | None
    why: str = ""
    unknown: bool = False


def ask(use: Use, results: int) -> Answer:
    """Runs the use. `results` counts those that are unpacked."""
    answers = [_ask(use, results, fill) for fill in ((1, 0) if any(not t.dtype.is_float for t in use.inputs) else (1,))]
    return next((a for a in answers if a.types is not None), answers[0])


def _ask(use: Use, results: int, fill: int) -> Answer:
    arrays = [_tensor(t, fill) for t in use.inputs]
    try:
        run = _direct(use) or _emitted(use, results)
    except Exception as error:  # whatever an emitter does with what it was never meant to be given
        return Answer(None, f"no expression: {error!r}", unknown=True)
    try:
        with torch.no_grad():
            out = run(*arrays)
    except Exception as error:  # PyTorch refuses by exceptions of many kinds
        return Answer(None, f"{type(error).__name__}: {error}".split("\n")[0], unknown=bool(HALF_IS_MISSING.search(str(error))))
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
    given = Given(use.inputs, Facts.nothing())
    inputs = tuple(Value(t, NOWHERE) for t in use.inputs)
    outputs = tuple(Value(t, NOWHERE) for t in _types(op, given, results))
    specs: tuple[ParameterSpec, ...] = ()
    node = OpNode(op, inputs, outputs, "stage", NOWHERE, specs)
    operators = Operators(Facts.nothing())
    space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "self": SimpleNamespace(training=False)}
    if type(op) not in FUNCTIONS:
        made = text(_resolved(operators.constructor(node)))

        def prepare() -> None:
            space["stage"] = eval(made, space).eval()
    else:

        def prepare() -> None:
            pass

    code = operators.expression(node)
    bindings, result = (code.bindings, code.result) if isinstance(code, Let) else ((), code)
    lines = [(name, text(_resolved(part))) for name, part in bindings]
    last = text(_resolved(result.result if isinstance(result, Several) else result))

    def run(*arrays: torch.Tensor) -> Any:
        prepare()
        local = {f"x{i}": array for i, array in enumerate(arrays)}
        for name, line in lines:
            local[name] = eval(line, space, local)
        return eval(last, space, local)

    return run


def _types(op: Operator, given: Given, results: int) -> tuple[TensorType, ...]:
    """Those that the operator infers; if it refuses, as many as were wanted of any kind."""
    try:
        return op.infer(given)[:results]
    except Refusal:
        return (given[0],) * results


def _resolved(code: Code) -> Code:
    def change(part: Code) -> Code | None:
        match part:
            case Ref(index):
                return Name(f"x{index}")
            case Own():
                return Name("stage")
            case Device():
                return Name("x0.device")
        return None

    return rewrite(code, change)


def _alone(values: Any) -> Any:
    """A list of one stands for all axes."""
    return values[0] if isinstance(values, tuple) and len(values) == 1 else values


def _scattered(op: Any, x: torch.Tensor, index: torch.Tensor, src: torch.Tensor | None) -> torch.Tensor:
    if src is None or op.value is not None:
        return x.scatter(op.axis, index, op.value, **({"reduce": op.reduce} if op.reduce else {}))
    if op.reduce is None:
        return x.scatter(op.axis, index, src)
    return x.scatter_reduce(op.axis, index, src, "prod") if op.reduce == "multiply" else x.scatter_add(op.axis, index, src)


# --- by hand ---------------------------------------------------------------------------------------------------------------------

# Where the emitted form follows from what netc has inferred, it says nothing about what is wrong: these are asked for directly.
DIRECT: dict[str, Callable[[Any], Callable[..., Any] | None]] = {
    "reshape": lambda op: lambda x: x.reshape(op.shape),
    "unflatten": lambda op: lambda x: x.unflatten(op.axis, op.sizes),
    "expand": lambda op: lambda x: x.expand(op.shape),
    "split": lambda op: lambda x: x.split(list(op.sizes) if isinstance(op.sizes, tuple) else op.sizes, op.axis),
    "chunk": lambda op: lambda x: x.chunk(op.n, op.axis),
    "flatten": lambda op: lambda x: x.flatten(op.start, op.end),
    "pad": lambda op: lambda x: F.pad(x, op.padding, op.mode, op.value if op.mode == "constant" else None),
    "select": lambda op: lambda x: x.select(op.axis, op.index),
    "roll": lambda op: lambda x: torch.roll(x, op.shifts, op.axis or ()),
    "layer_norm": lambda op: None if op.shape is None else lambda x: nn.LayerNorm(op.shape, op.eps, op.affine, op.bias, dtype=x.dtype)(x),
    "rms_norm": lambda op: None if op.shape is None else lambda x: nn.RMSNorm(op.shape, op.eps, op.affine, dtype=x.dtype)(x),
    "prelu": lambda op: None if op.num_parameters == "channels" else lambda x: nn.PReLU(op.num_parameters, dtype=x.dtype)(x),
    "gather": lambda op: lambda x, index: x.gather(op.axis, index),
    "scatter_reduce": lambda op: lambda x, index, src: x.scatter_reduce(op.axis, index, src, op.reduce, include_self=op.include_self),
    "scatter": lambda op: lambda x, index, src=None: _scattered(op, x, index, src),
    "upsample": lambda op: (
        lambda x: F.interpolate(
            x, _alone(op.size), _alone(op.scale), op.mode, op.align_corners, op.recompute_scale_factor or None, op.antialias
        )
    ),
    "slice": lambda op: lambda x: x.movedim(op.axis, 0)[op.start : op.stop : op.step].movedim(0, op.axis),
}


def _direct(use: Use) -> Callable[..., Any] | None:
    made = DIRECT.get(use.operator)
    return None if made is None else made(use.build())
