"""Writes how Flax draws parameters: by the functions of `nnx.initializers`, as arguments of the layers that take them.

A weight has PyTorch's layout, `[out, in, ...]`, so `in_axis` and `out_axis` are arguments.

>>> from ...ops.learned_tensors import normal_init
>>> from ..python.printing.python_printer import print_code
>>> print_code(write_initializer(normal_init(0.02)))
'nnx.initializers.normal(0.02)'
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from netc.dsl.record import replace

from ...ir.graph import Graph, OpNode
from ...ops.initializers import INITIALIZERS
from ...ops.operator import Init
from ...types.traced_ints import has_origin, strip_formulas
from ..python.code.class_tree import InitializedCode, NameCode, NewModule, PassedOn
from ..python.code.classes import ModuleRule
from ..python.code.python_expressions import CallCode, Code, KeywordCode, Lit, call_function
from ..python.constructor.initialization_rules import access_parameter
from ..python.emitters import Modules

_LAYERS = ("Linear", "Conv", "ConvTranspose", "Embedding", "PaddedEmbedding")
"""The layers whose constructors take initializers."""
_AXES = {"in_axis": 1, "out_axis": 0}
_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2), "selu": 0.75}


def write_initializer(init: Init) -> Code:
    """Write the function that draws a tensor."""
    names = [a.name for a in INITIALIZERS[init.kind].arguments]
    values: dict[str, Any] = dict(zip(names, init.values, strict=True))
    match init.kind:
        case "zeros" | "ones":
            return NameCode(f"nnx.initializers.{init.kind}")
        case "constant":
            return call_function("nnx.initializers.constant", Lit(values["val"], "value"))
        case "normal" if strip_formulas(values["mean"]) == 0 and not has_origin(values["mean"]):
            return call_function("nnx.initializers.normal", Lit(values["std"], "std"))
        case "normal":
            return call_function("shifted_normal", Lit(values["mean"], "mean"), Lit(values["std"], "std"))
        case "trunc_normal":
            return call_function("truncated_normal", *(Lit(values[name], name) for name in ("mean", "std", "a", "b")))
        case "uniform":
            return call_function("uniform_between", Lit(values["a"], "low"), Lit(values["b"], "high"))
        case "orthogonal":
            return call_function("nnx.initializers.orthogonal", Lit(values["gain"], "gain"), column_axis=0)
    distribution = "uniform" if init.kind.endswith("uniform") else "normal"
    if init.kind.startswith("xavier"):
        mode, gain = "fan_avg", float(strip_formulas(values["gain"]))
        if gain == 1:
            return call_function(f"nnx.initializers.xavier_{distribution}", **_AXES)
    else:
        mode, slope = values["mode"], float(strip_formulas(values["a"]))
        gain = _GAINS.get(values["nonlinearity"]) or sqrt(2 / (1 + slope**2))
    return call_function("nnx.initializers.variance_scaling", round(gain**2, 12), mode, distribution, **_AXES)


class ArgumentInitialization:
    """Initializers are arguments of the layers that take them. Other parameters are drawn again, by statements."""

    rules: tuple[ModuleRule, ...] = ()

    def initialize_module(self, node: OpNode, code: Code) -> Code:
        if not isinstance(code, CallCode) or not isinstance(code.function, str):
            return code
        arguments: list[KeywordCode] = []
        calls: list[Code] = []
        for spec in node.specs:
            tied = node.tie is not None and node.tie.name == spec.name
            native = spec.init.kind == "constant" and code.function == "PReLU"
            if not spec.stated or tied or native:
                continue
            init = write_initializer(replace(spec.init, zero_row=None))
            if code.function in _LAYERS:
                arguments.append(KeywordCode(f"{spec.name}_init", init))
            else:
                calls.append(call_function("draw", access_parameter(NewModule(), spec.name), init, PassedOn("rngs")))
        *keywords, last = code.kwargs or (None,)
        if arguments and last is not None:  # `rngs` is the last
            code = replace(code, kwargs=(*keywords, *arguments, last))
        return InitializedCode(code, tuple(calls)) if calls else code


def make_initialization(order: Sequence[Graph], modules: Modules) -> ArgumentInitialization:
    """Every layer is initialized for itself."""
    return ArgumentInitialization()
