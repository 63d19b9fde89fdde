"""Decides how parameters are initialized where the spec says so: by statements for one module, or for all modules of a class.

In: the nodes of a program, with the initializers of their parameters, and the words of the framework. Out: the code that draws them.
Always: a rule for all modules of a class is made only if it draws each of them as the spec says, including modules within modules.

    >>> import netc
    >>> source = netc.compile("default dense init=normal(0.02); input 3 -> dense 4 -> dense 4 -> dense 2").source()
    >>> [line.strip() for line in source.splitlines() if "module" in line]
    ['for module in self.modules():', 'if isinstance(module, nn.Linear):', 'nn.init.normal_(module.weight, std=0.02)']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netc.dsl.record import Record, replace

from ....ir.graph import Graph, OpNode
from ....ir.walk import find_route
from ....ops.operator import Init, ParameterSpec
from ....types.traced_ints import has_origin
from ..code.class_tree import InitializedCode, NewModule
from ..code.classes import ModuleRule
from ..code.python_expressions import AttributeCode, CallCode, Code, Lit, Subscript
from ..emitters import Modules

Key = tuple[str, str]
"""The target of a rule: a class of the framework, and a name of one of its parameters."""


class InitializerWords(Record):
    """How a framework draws parameters.

    `draw(init, tensor)` is the expression that draws a tensor, and whose value the tensor is. `zero(tensor)` sets it to zero.
    `key(function, name)` is the class that registers a parameter, and the parameter's name there. The name may lead into a module within
    the one that `function` makes. None: no rule is made of such parameters.
    `padding` is the attribute of a module with the number of the row that stays zero.
    `argument` is the argument of a constructor that sets the constant with which a parameter starts.
    """

    draw: Callable[[Init, Code], Code]
    zero: Callable[[Code], Code]
    key: Callable[[str, str], Key | None]
    padding: str
    argument: str


class Rule(Record):
    """One initializer for this parameter of all modules of a class. `optional`: some modules lack it. `padded`: some have a row that stays
    zero."""

    key: Key
    init: Init
    optional: bool
    padded: bool


class StatementInitialization:
    """Parameters that statements draw after the modules are made. `rules` apply to all modules of a class, in the order of the spec."""

    def __init__(self, rules: Sequence[Rule], words: InitializerWords) -> None:
        self.words = words
        self._keys = {rule.key for rule in rules}
        self.rules = tuple(code for rule in rules for code in self._make_rules(rule))

    def initialize_module(self, node: OpNode, code: Code) -> Code:
        """Return the code of a module and of the draws of its parameters, except for those that a rule draws or a tie replaces."""
        if not isinstance(code, CallCode) or not isinstance(code.function, str) or not any(spec.stated for spec in node.specs):
            return code
        keywords = {keyword.name for keyword in code.kwargs}
        calls: list[Code] = []
        for spec in node.specs:
            # The constructor of a module such as PReLU takes the constant itself.
            native = spec.init.kind == "constant" and self.words.argument in keywords
            tied = node.tie is not None and node.tie.name == spec.name
            if spec.stated and not (native or tied or self.words.key(code.function, spec.name) in self._keys):
                calls += self._make_statements(spec.init, access_parameter(NewModule(), spec.name))
        return InitializedCode(code, tuple(calls)) if calls else code

    def _make_statements(self, init: Init, parameter: Code) -> Iterator[Code]:
        """Make the statements that draw a parameter of a module."""
        # An embedding zeroes its row of padding when it is made; a draw of the whole weight overwrites it.
        yield self.words.draw(replace(init, zero_row=None), parameter)
        if init.zero_row is not None and init.kind != "zeros":
            yield self.words.zero(Subscript(parameter, (Lit(init.zero_row, self.words.padding),)))

    def _make_rules(self, rule: Rule) -> Iterator[ModuleRule]:
        function, name = rule.key
        parameter = access_parameter(NewModule(), name)
        yield ModuleRule(function, self.words.draw(rule.init, parameter), parameter if rule.optional else None)
        if rule.padded:
            index = AttributeCode(NewModule(), self.words.padding)
            yield ModuleRule(function, self.words.zero(Subscript(parameter, (index,))), index)


def access_parameter(module: Code, name: str) -> Code:
    """Return the parameter `name` of a module. A name with dots leads into modules within it."""
    for part in name.split("."):
        module = AttributeCode(module, part)
    return module


def initialize_by_statements(words: InitializerWords, order: Sequence[Graph], modules: Modules) -> StatementInitialization:
    """Decide the initialization of a program, whose main graph is the last.

    A tied parameter of the main graph is replaced after the rules have been applied, so it may break a rule. One further inside is tied
    before.
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
                key = words.key(code.function, spec.name)
                if spec.trainable and not replaced and key is not None:
                    uses.setdefault(key, []).append(_get_drawn_spec(node, spec, graph))
    return StatementInitialization(list(_find_rules(uses, names)), words)


def _find_rules(uses: Mapping[Key, list[ParameterSpec]], names: Mapping[str, list[set[str]]]) -> Iterator[Rule]:
    for key, specs in uses.items():
        first = replace(specs[0].init, zero_row=None)
        alike = all(spec.stated and replace(spec.init, zero_row=None) == first and not has_origin(spec.init) for spec in specs)
        # A rule pays only for several modules, and must not touch one that the spec draws in another way.
        if len(specs) > 1 and alike:
            padded = any(spec.init.zero_row is not None for spec in specs)
            yield Rule(key, first, any(key[1] not in rule_names for rule_names in names.get(key[0], ())), padded)


def _get_drawn_spec(node: OpNode, spec: ParameterSpec, graph: Graph) -> ParameterSpec:
    """Return the parameter, or the one that it is tied to."""
    if node.tie is None or node.tie.name != spec.name:
        return spec
    target = find_route(graph, node.tie.path)[-1]
    specs = [s for s in target.specs if s.name == node.tie.target_name] if isinstance(target, OpNode) else []
    return replace(specs[0], stated=specs[0].stated and specs[0].init.zero_row is None) if specs else spec
