"""How parameters are initialised where the spec says so: by functions of `nn.init`, for one module or for all modules of a class.

In: the nodes of a program, with the initialisers of their parameters. Out: the code that draws them. Always: a rule for all modules of a
class is made only if it draws each of them as the spec says, those of modules within modules included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netc.dsl.record import Record, replace

from ...ir.graph import Graph, OpNode
from ...ir.walk import route
from ...ops.initializers import INITIALISERS
from ...ops.operator import Init, ParameterSpec
from ...types.traced_ints import has_origin
from ..python.code.class_tree import InitialisedCode, NewModule
from ..python.code.classes import ModuleRule
from ..python.code.python_expressions import AttributeCode, CallCode, Code, Lit, Subscript, call, keywords
from ..python.operator_calls import Modules


def drawn(init: Init, tensor: Code) -> Code:
    """The expression that draws a tensor, and is it."""
    names = [a.name for a in INITIALISERS[init.kind].arguments]
    defaults = {a.name: a.default for a in INITIALISERS[init.kind].arguments}
    values: dict[str, Any] = dict(zip(names, init.values, strict=True))
    function = f"nn.init.{init.kind}_"
    if init.kind == "constant":
        value = values["val"]
        return call(function, tensor, Lit(value if has_origin(value) else float(value), "value"))
    if init.kind == "uniform":
        return call(function, tensor, Lit(values["a"], "low"), Lit(values["b"], "high"))
    given = {name: value for name, value in values.items() if value != defaults[name] or has_origin(value)}
    return CallCode(function, (tensor,), keywords(given))


def statements(init: Init, parameter: Code) -> tuple[Code, ...]:
    """What draws a parameter of a module."""
    made = (drawn(replace(init, zero_row=None), parameter),)
    if init.zero_row is None or init.kind == "zeros":
        return made
    return (*made, call("nn.init.zeros_", Subscript(parameter, (Lit(init.zero_row, "padding_idx"),))))


def parameter_of(module: Code, name: str) -> Code:
    for part in name.split("."):
        module = AttributeCode(module, part)
    return module


Key = tuple[str, str]
"""What a rule is for: a class of PyTorch, and one of its parameters."""


class Rule(Record):
    """All modules of a class draw this parameter so. `optional`: some of them do not have it. `padded`: some have a row that stays zero."""

    key: Key
    init: Init
    optional: bool
    padded: bool


def key_of(function: str, name: str) -> Key:
    """A parameter of a module within a module is one of that: `out_proj` of attention is a linear layer."""
    inner, _, own = name.rpartition(".")
    return ("nn.Linear", own) if inner else (function, own)


class TorchInitialisation:
    """`rules` are those for all modules of a class, in the order of the spec."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._keys = {rule.key for rule in rules}
        self.rules = tuple(code for rule in rules for code in _codes(rule))

    def applied(self, node: OpNode, code: Code) -> Code:
        """The code of a module, with what draws those of its parameters that no rule draws, and no tie replaces."""
        if not isinstance(code, CallCode) or not isinstance(code.function, str) or not any(spec.stated for spec in node.specs):
            return code
        own = {keyword.name for keyword in code.kwargs}
        calls: list[Code] = []
        for spec in node.specs:
            native = spec.init.kind == "constant" and "init" in own
            tied = node.tie is not None and node.tie.name == spec.name
            if spec.stated and not (native or tied or key_of(code.function, spec.name) in self._keys):
                calls += statements(spec.init, parameter_of(NewModule(), spec.name))
        return InitialisedCode(code, tuple(calls)) if calls else code


def _codes(rule: Rule) -> Iterator[ModuleRule]:
    function, name = rule.key
    parameter = parameter_of(NewModule(), name)
    yield ModuleRule(function, drawn(rule.init, parameter), parameter if rule.optional else None)
    if rule.padded:
        index = AttributeCode(NewModule(), "padding_idx")
        yield ModuleRule(function, call("nn.init.zeros_", Subscript(parameter, (index,))), index)


def initialisation(order: Sequence[Graph], modules: Modules) -> TorchInitialisation:
    """The rules of a program, whose main graph is the last.

    A parameter of the main graph that is tied is replaced after the rules have been applied, one further inside before.
    """
    uses: dict[Key, list[ParameterSpec]] = {}
    names: dict[str, list[set[str]]] = {}
    for graph in order:
        for node in graph.nodes:
            code = modules(node) if isinstance(node, OpNode) and node.specs else None
            if not isinstance(node, OpNode) or not isinstance(code, CallCode) or not isinstance(code.function, str):
                continue
            names.setdefault(code.function, []).append({spec.name for spec in node.specs})
            for spec in node.specs:
                replaced = graph is order[-1] and node.tie is not None and node.tie.name == spec.name
                if spec.trainable and not replaced:
                    uses.setdefault(key_of(code.function, spec.name), []).append(_drawn_spec(node, spec, graph))
    return TorchInitialisation(list(_rules(uses, names)))


def _rules(uses: Mapping[Key, list[ParameterSpec]], names: Mapping[str, list[set[str]]]) -> Iterator[Rule]:
    for key, specs in uses.items():
        first = replace(specs[0].init, zero_row=None)
        alike = all(spec.stated and replace(spec.init, zero_row=None) == first and not has_origin(spec.init) for spec in specs)
        if len(specs) > 1 and alike and not re.search(r"_l\d", key[1]):
            padded = any(spec.init.zero_row is not None for spec in specs)
            yield Rule(key, first, any(key[1] not in own for own in names.get(key[0], ())), padded)


def _drawn_spec(node: OpNode, spec: ParameterSpec, graph: Graph) -> ParameterSpec:
    """The parameter, or the one that it is tied to."""
    if node.tie is None or node.tie.name != spec.name:
        return spec
    target = route(graph, node.tie.path)[-1]
    found = [s for s in target.specs if s.name == node.tie.target_name] if isinstance(target, OpNode) else []
    return replace(found[0], stated=found[0].stated and found[0].init.zero_row is None) if found else spec
