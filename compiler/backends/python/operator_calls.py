"""Writes one operator by the tables of emitters: as a module that is made in the constructor and called, or as an expression.

In: an `OpNode`, and a backend's tables. Out: Code with `Ref` for its inputs and `SelfMember` for its module: `self.dense(x)` is
`CallCode(SelfMember(), (Ref(0),))`. Always: an operator with parameters is a member of its class. One without parameters that has a
function form is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from netc.dsl.record import Record
from netc.dsl.trees import walk_tree

from ...dims import Facts
from ...errors.target_errors import MissingForm, SourceUnsupported
from ...ir.graph import Graph, Node, OpNode
from ...ops.operator import Operator, OpInputs
from ...ops.parametric import Parametric
from ...ops.regularization import Dropping
from ...types.tensor_types import TensorType
from .classes.module_parameters import StageParameters, make_function_value, make_module_value, replace_function
from .code.class_tree import FrozenCode, has_symbol
from .code.classes import MemberKind, StepInfo, classify_expression
from .code.framework import Framework
from .code.python_expressions import CallCode, Code, LetCode, Lit, Ref, SelfMember
from .emitters import Emitter, Emitters, Initialization
from .unsupported_python import UnsupportedInPython


class OperatorSite(Record):
    """The use of an operator that is to be written. `site.x` is the code of the input declared as `x`, and `site.given.x` its type.

    `results` has the types of the results that are used.
    """

    node: OpNode
    given: OpInputs
    results: tuple[TensorType, ...]

    def __getattr__(self, name: str) -> Ref:
        return self[name]

    def __getitem__(self, name: str) -> Ref:
        return Ref(self.given.position(name))

    def get(self, name: str) -> Ref | None:
        """Return the code of an input that may be absent."""
        return self[name] if name in self.given else None

    def present(self, name: str) -> tuple[Ref, ...]:
        """Return an input as arguments: one, or none if it is absent."""
        return (self[name],) if name in self.given else ()

    @property
    def inputs(self) -> tuple[Ref, ...]:
        """The code of all inputs."""
        return tuple(Ref(index) for index in range(len(self.given)))


class OperatorForms:
    """The forms of operator nodes. The module of each is made once."""

    def __init__(self, facts: Facts, emitters: Emitters, framework: Framework) -> None:
        self.facts, self.emitters, self.framework = facts, emitters, framework
        self._modules: dict[int, Code | None] = {}
        """The code of modules, by the ids of the nodes."""
        self.dropouts: set[str] = set()
        """The functions that drop elements with the probability in their only argument, by their names in the source."""
        self.initialization: Initialization = self.emitters.initialization((), self._get_module_code)
        self.stages = StageParameters((), self.is_member)

    def prepare_graphs(self, order: Sequence[Graph]) -> None:
        """Decide how the modules of these graphs are initialized, and which of them are stages that differ between uses."""
        self.initialization = self.emitters.initialization(order, self._get_module_code)
        self.stages = StageParameters(order, self.is_member)

    def is_member(self, node: OpNode) -> bool:
        """Whether the class has a member for the node: its parameters, or a module because it has no other form."""
        kind, functions = type(node.op), self._choose_function_table(node)
        # Refused here, because the module form would silently make a second weight of its own.
        if _is_given_weight(node) and kind not in functions:
            reason = "there is no emitter for a weight that is an input"
            raise UnsupportedInPython(SourceUnsupported(f"`{node.op.name}`", self.framework.title, reason), node)
        if kind not in self.emitters.modules and (node.specs or kind not in functions):
            raise UnsupportedInPython(self._missing_form(node), node)
        return bool(node.specs) or kind not in functions or (kind in self.emitters.members and self.emitters.members[kind](node.op))

    def _missing_form(self, node: OpNode) -> MissingForm:
        kind = type(node.op)
        return MissingForm(
            node.op.name,
            self.framework.title,
            kind.__name__ if kind.is_plugin() else "",
            self.emitters.decorator,
            kind.has_definition(),
            self.framework.module if kind in self.emitters.functions else "",
        )

    def is_constant(self, node: OpNode) -> bool:
        """Whether the node is a member that holds one tensor and is in no state dict: a buffer, or a module without inputs."""
        return self.is_member(node) and (self.get_member_kind(node) == "transient" or not (node.inputs or node.specs))

    def _choose_function_table(self, node: OpNode) -> Mapping[type[Operator], Emitter]:
        """Return the table of emitters for the node where it is no member."""
        return self.emitters.given if _is_given_weight(node) else self.emitters.functions

    def get_member_kind(self, node: OpNode) -> MemberKind:
        spec = node.specs[0] if len(node.specs) == 1 else None
        if spec is None or spec.name:
            return "module"
        if spec.trainable:
            return "parameter"
        return "buffer" if spec.persistent else "transient"

    def build_constructor_code(self, node: OpNode) -> Code:
        """Build the code of the member: a module, or the tensor that a parameter starts with."""
        code = self._get_module_code(node)
        assert code is not None, f"{node.op!r} is a member without a module"
        return self._finish_module(node, code)

    def build_standalone_module(self, node: OpNode) -> Code | None:
        """Build the module, if it only needs to be called with one tensor."""
        if type(node.op) in self.emitters.invocations or len(node.inputs) != 1 or self.get_member_kind(node) != "module":
            return None
        code = self._get_module_code(node)
        return None if code is None or _is_dynamic(code) else self._finish_module(node, code)

    def _finish_module(self, node: OpNode, code: Code) -> Code:
        """Add its initialization to the code of a module, and turn it into a value if it is a stage that differs."""
        code = freeze_module(node, self.initialization.initialize_module(node, code))
        if not self.stages.is_varying(node):
            return code
        default = self._make_default_node(node)
        usual = None if default is None else make_module_value(self._emit_module(default), self.framework)
        return replace_function(code, self.stages.get_name(node), make_module_value(code, self.framework), usual)

    def _make_default_node(self, node: OpNode) -> OpNode | None:
        """Return the node with the default operator of its parameter. None if the lowering replaces that operator: the class then has no
        default."""
        default = self.stages.make_default_node(node)
        return default if default is not None and self.emitters.is_written(type(default.op)) else None

    def build_expression(self, node: OpNode) -> Code:
        """Build the expression in `forward`."""
        code = self._emit_expression(node)
        if not self.stages.is_uniform(node) or self.is_member(node):
            return code
        default = self._make_default_node(node)
        usual = None if default is None else make_function_value(self._emit_expression(default), self.framework)
        return replace_function(code, self.stages.get_name(node), make_function_value(code, self.framework), usual)

    def _emit_expression(self, node: OpNode) -> Code:
        invoked = self.is_member(node) and not _is_given_weight(node)
        emitter = (self.emitters.invocations if invoked else self._choose_function_table(node)).get(type(node.op))
        if emitter is not None:
            return emitter(node.op, self._make_site(node))
        return SelfMember() if self.get_member_kind(node) != "module" else call_with_all_inputs(len(node.inputs))

    def describe_step(self, node: OpNode, code: Code) -> StepInfo:
        op = node.op
        kind = classify_expression(code.result if isinstance(code, LetCode) else code)
        if self.stages.is_uniform(node):
            return StepInfo(self.stages.get_name(node), bool(node.specs), self.is_member(node), True, False, kind)
        return StepInfo(op.name, bool(node.specs), self.is_member(node), op.is_activation, False, kind)

    def _get_module_code(self, node: OpNode) -> Code | None:
        # Emitters run once for each node: containers, bodies and initialization rules all ask for the same code.
        if id(node) not in self._modules:
            self._modules[id(node)] = self._emit_module(node)
        return self._modules[id(node)]

    def _emit_module(self, node: OpNode) -> Code | None:
        emitter = self.emitters.modules.get(type(node.op))
        code = None if emitter is None else emitter(node.op, self._make_site(node))
        # Recorded by the name in the source: what drops nothing at 0 is decided later, when only code is left.
        if isinstance(node.op, Dropping) and isinstance(code, CallCode) and isinstance(code.function, str):
            self.dropouts.add(code.function)
        return code

    def _make_site(self, node: OpNode) -> OperatorSite:
        inputs = node.op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        return OperatorSite(node, inputs, tuple(v.type for v in node.outputs))


def _is_given_weight(node: OpNode) -> bool:
    """Whether the weight is one of its inputs."""
    return isinstance(node.op, Parametric) and node.op.has_weight_input(tuple(v.type for v in node.inputs))


def freeze_module(node: Node, code: Code) -> Code:
    """Freeze the code of a node's module, if the spec says `trainable=false`."""
    return FrozenCode(code) if node.frozen else code


@cache
def call_with_all_inputs(inputs: int) -> Code:
    """Return a call of the module with all inputs, the same object each time."""
    return CallCode(SelfMember(), tuple(Ref(i) for i in range(inputs)))


def _is_dynamic(code: Code) -> bool:
    """Whether it needs sizes that a constructor does not know."""
    return isinstance(code, LetCode) or any(isinstance(p, Lit) and has_symbol(p.value) for p in walk_tree(code))
