"""Stages that blocks take as parameters: where uses of a block give several operators, its class takes a function in their place.

In: all graphs of a program, and the code of operators. Out: for such a node its code with a `StageValue` in place of the function, which
becomes an argument where it differs: `act_layer=ReLU`. Always: only where the operators of all uses are modules, or
functions of one tensor. The number of their further arguments is compared when the bodies of a class are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy

from ....ir.graph import Graph, OpNode
from ....ir.parameter_stages import StageParameter
from ....ir.walk import find_enclosing_block
from ....ops.operator import Operator
from ....types.traced_ints import has_origin
from ..code.class_tree import NameCode, PassedOn, has_symbol
from ..code.framework import Framework
from ..code.python_expressions import CallCode, Code, KeywordCode, Lit, Ref, StageLit, StageValue
from ..printing.python_printer import print_code
from .shared_modules import get_source_key

Parameter = tuple[object, str]
"""A parameter of a block."""


class StageParameters:
    def __init__(self, order: Iterable[Graph], is_member: Callable[[OpNode], bool]) -> None:
        self._of: dict[int, tuple[Parameter, StageParameter]] = {}
        """By the id of a node."""
        self._kinds: dict[Parameter, dict[type[Operator], bool]] = {}
        """For each parameter, the operators that uses give, and whether they are members of a class."""
        for graph in order:
            for node in graph.nodes if graph.stages else ():
                if isinstance(node, OpNode) and node.label in graph.stages:
                    stage = graph.stages[node.label]
                    parameter = (get_source_key(find_enclosing_block(graph)), stage.name)
                    self._of[id(node)] = parameter, stage
                    self._kinds.setdefault(parameter, {})[type(node.op)] = is_member(node)

    def is_varying(self, node: OpNode) -> bool:
        """Whether other uses of the block have another operator here."""
        return id(node) in self._of and len(self._kinds[self._of[id(node)][0]]) > 1

    def get_name(self, node: OpNode) -> str:
        """Return the name of the parameter that gives the node, if it varies, else an empty text."""
        return self._of[id(node)][1].name if self.is_varying(node) else ""

    def is_uniform(self, node: OpNode) -> bool:
        """Whether it varies, and its operators are all members of a class, or all not."""
        return self.is_varying(node) and len(set(self._kinds[self._of[id(node)][0]].values())) == 1

    def make_default_node(self, node: OpNode) -> OpNode | None:
        """Return the node with the parameter's default operator, or None."""
        op = self._of[id(node)][1].default
        if op is None:
            return None
        default_node = copy(node)
        default_node.op = op
        return default_node


def make_module_value(code: Code | None, framework: Framework) -> StageValue | None:
    """Return the function that makes a module as a value, or None if the code is no such call."""
    return _make_value(code, f"Callable[..., {framework.module}]")


def make_function_value(code: Code, framework: Framework) -> StageValue | None:
    """Return a function of one tensor as a value, or None."""
    annotation = f"Callable[[{framework.tensor}], {framework.tensor}]"
    match code:
        case Ref(0):
            return StageValue(f"{framework.identity}()", annotation, "", ())
        case CallCode(str(), (Ref(0),)):
            return _make_value(code, annotation)
    return None


def _make_value(code: Code | None, annotation: str) -> StageValue | None:
    if type(code) is not CallCode or not isinstance(code.function, str):
        return None
    keywords = tuple(k for k in code.kwargs if not isinstance(k.value, PassedOn))
    # A value that depends on an argument cannot be bound by the caller.
    if not all(map(_is_fixed, keywords)):
        return None
    bound = print_code(CallCode("partial", (NameCode(code.function),), keywords))
    # `partial` is only needed for keywords; without them the printed call has one item and no comma.
    return StageValue(bound if "," in bound else code.function, annotation, code.function, keywords)


def _is_fixed(keyword: KeywordCode) -> bool:
    """Whether its value is a literal that is not computed from anything."""
    return isinstance(keyword.value, Lit) and not has_origin(keyword.value.value) and not has_symbol(keyword.value.value)


def replace_function(code: Code, name: str, value: StageValue | None, default: StageValue | None) -> Code:
    """Replace the function of the code by a value that the class may take as an argument."""
    if value is None:
        return code
    if not isinstance(code, CallCode):
        return CallCode(StageLit(value, name, default), (code,))
    # Bound keywords are part of the value; only arguments that the caller passes on stay in the call.
    return CallCode(StageLit(value, name, default), code.args, tuple(k for k in code.kwargs if isinstance(k.value, PassedOn)))
