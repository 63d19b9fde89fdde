"""Writes how MLX draws parameters: by statements that apply the functions of `nn.init`, or the file's own, to a module's parameter.

A weight has PyTorch's layout, `[out, in, ...]`, so functions of the numbers of inputs and outputs are the file's own.

>>> from ...ops.learned_tensors import normal_init
>>> from ..python.printing.python_printer import print_code
>>> print_code(write_initializer(normal_init(0.02)))
'nn.init.normal(0.0, 0.02)'
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from netc.dsl.record import replace

from ...ir.graph import Graph, OpNode
from ...ops.initializers import INITIALIZERS
from ...ops.operator import Init
from ...types.traced_ints import strip_formulas
from ..python.code.class_tree import InitializedCode, NewModule
from ..python.code.classes import ModuleRule
from ..python.code.python_expressions import CallCode, Code, Lit, call_function
from ..python.constructor.initialization_rules import access_parameter
from ..python.emitters import Modules

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2), "selu": 0.75}


def write_initializer(init: Init) -> Code:
    """Write the function that draws a tensor."""
    names = [a.name for a in INITIALIZERS[init.kind].arguments]
    values: dict[str, Any] = dict(zip(names, init.values, strict=True))
    match init.kind:
        case "zeros" | "ones":
            return call_function("nn.init.constant", 0.0 if init.kind == "zeros" else 1.0)
        case "constant":
            return call_function("nn.init.constant", Lit(values["val"], "value"))
        case "normal":
            return call_function("nn.init.normal", Lit(values["mean"], "mean"), Lit(values["std"], "std"))
        case "trunc_normal":
            return call_function("truncated_normal", *(Lit(values[name], name) for name in ("mean", "std", "a", "b")))
        case "uniform":
            return call_function("nn.init.uniform", Lit(values["a"], "low"), Lit(values["b"], "high"))
        case "orthogonal":
            return call_function("orthogonal", Lit(values["gain"], "gain"))
    distribution = "uniform" if init.kind.endswith("uniform") else "normal"
    if init.kind.startswith("xavier"):
        mode, gain = "fan_avg", float(strip_formulas(values["gain"]))
    else:
        mode, slope = values["mode"], float(strip_formulas(values["a"]))
        gain = _GAINS.get(values["nonlinearity"]) or sqrt(2 / (1 + slope**2))
    return call_function("variance_scaling", round(gain**2, 12), mode, distribution)


class StatementInitialization:
    """Parameters whose initial values the spec states are drawn again, by statements at the end of the constructor."""

    rules: tuple[ModuleRule, ...] = ()

    def initialize_module(self, node: OpNode, code: Code) -> Code:
        if not isinstance(code, CallCode):
            return code
        calls: list[Code] = []
        for spec in node.specs:
            tied = node.tie is not None and node.tie.name == spec.name
            native = spec.init.kind == "constant" and code.function == "nn.PReLU"
            if not spec.name or not spec.stated or tied or native:
                continue
            path, _, name = spec.name.rpartition(".")
            module: Code = access_parameter(NewModule(), path) if path else NewModule()
            zero_row = () if spec.init.zero_row is None else (Lit(spec.init.zero_row),)
            calls.append(call_function("initialize", module, name, write_initializer(replace(spec.init, zero_row=None)), *zero_row))
        return InitializedCode(code, tuple(calls)) if calls else code


def make_initialization(order: Sequence[Graph], modules: Modules) -> StatementInitialization:
    """Every layer is initialized for itself."""
    return StatementInitialization()
