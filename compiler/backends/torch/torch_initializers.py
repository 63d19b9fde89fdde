"""Writes how PyTorch draws parameters: by functions of `nn.init`, on an existing parameter: `nn.init.normal_(self.weight, std=0.02)`.

>>> from ...ops.learned_tensors import normal_init
>>> from ..python.code.class_tree import NameCode
>>> from ..python.printing.python_printer import print_code
>>> print_code(draw_tensor(normal_init(0.02), NameCode("weight")))
'nn.init.normal_(weight, std=0.02)'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...ir.graph import Graph
from ...ops.initializers import INITIALIZERS
from ...ops.operator import Init
from ...types.traced_ints import has_origin
from ..python.code.python_expressions import CallCode, Code, Lit, call_function, make_keywords
from ..python.constructor.initialization_rules import InitializerWords, Key, StatementInitialization, initialize_by_statements
from ..python.emitters import Modules


def draw_tensor(init: Init, tensor: Code) -> Code:
    """Write the expression that draws a tensor in place and returns it."""
    names = [a.name for a in INITIALIZERS[init.kind].arguments]
    defaults = {a.name: a.default for a in INITIALIZERS[init.kind].arguments}
    values: dict[str, Any] = dict(zip(names, init.values, strict=True))
    function = f"nn.init.{init.kind}_"
    if init.kind == "constant":
        value = values["val"]
        return call_function(function, tensor, Lit(value if has_origin(value) else float(value), "value"))
    if init.kind == "uniform":
        return call_function(function, tensor, Lit(values["a"], "low"), Lit(values["b"], "high"))
    # A value with a formula stays, even if it is the default here: another use of the block may have another value.
    arguments = {name: value for name, value in values.items() if value != defaults[name] or has_origin(value)}
    return CallCode(function, (tensor,), make_keywords(arguments))


def _make_rule_key(function: str, name: str) -> Key | None:
    """Return the class and the parameter of a rule. The output projection of attention is a linear layer within it. Recurrent layers have
    numbered parameters, for which no rule is made: it would be one for each."""
    inner, _, own_name = name.rpartition(".")
    if re.search(r"_l\d", own_name):
        return None
    return ("nn.Linear", own_name) if inner else (function, own_name)


WORDS = InitializerWords(
    draw_tensor, lambda part: call_function("nn.init.zeros_", part), _make_rule_key, padding="padding_idx", argument="init"
)


def make_initialization(order: Sequence[Graph], modules: Modules) -> StatementInitialization:
    """Decide the initialization of a program, whose main graph is the last."""
    return initialize_by_statements(WORDS, order, modules)
