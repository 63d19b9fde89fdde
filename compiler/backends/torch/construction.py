"""How one operator is written, by the tables of emitters: made in the constructor and called, or an expression.

In: an `OpNode`. Out: Code with `Ref` for its inputs and `SelfMember` for its module. Always: an operator with parameters is a
member of its class; one that has none and can be written as a function is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ...dims import Facts
from ...ir.graph import Graph, OpNode
from ...ir.origins import origin_key
from ..python.code.classes import How, StepInfo, kind_of
from ..python.code.expressions import CallCode, Code, LetCode, Lit, Ref, SelfMember
from ..python.code.tree import has_symbol, parts
from ..python.errors import MissingEmitter
from . import ops
from .initialisation import Initialisation, initialisation
from .table import FUNCTIONS, INVOCATIONS, MODULES, Emitter, TorchSite

assert ops, "importing the package fills the tables"


class OperatorForms:
    """The forms of operator nodes, each computed once for equal operators on equal types."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.initialisation = Initialisation()
        self._modules: dict[object, Code | None] = {}
        self._near: dict[tuple[int, ...], Code | None] = {}
        """The same by identity of the operator and types, which costs less."""
        self._dynamic: dict[int, bool] = {}

    def is_member(self, node: OpNode) -> bool:
        """Whether the class has a member for the node: its parameters, or a module that has no other form."""
        kind = type(node.op)
        if kind not in MODULES and (node.specs or kind not in FUNCTIONS):
            raise MissingEmitter(node.op, "there is no emitter for it")
        return bool(node.specs) or kind not in FUNCTIONS

    def how(self, node: OpNode) -> How:
        spec = node.specs[0] if len(node.specs) == 1 else None
        if spec is None or spec.name:
            return "module"
        if spec.trainable:
            return "parameter"
        return "buffer" if spec.persistent else "transient"

    def constructor(self, node: OpNode) -> Code:
        """What the constructor makes: a module, or the tensor that a parameter starts with."""
        code = self._constructor(node)
        if code is None:
            raise MissingEmitter(node.op, "there is no emitter of its module")
        return self._initialised(node, code)

    def initialise(self, order: Sequence[Graph]) -> None:
        """Finds the rules by which modules of these graphs are initialised."""
        modules = ((n, self._constructor(n)) for graph in order for n in graph.nodes if isinstance(n, OpNode) and n.specs)
        functions = [(n, code.function) for n, code in modules if isinstance(code, CallCode) and isinstance(code.function, str)]
        self.initialisation = initialisation(order, functions)

    def _initialised(self, node: OpNode, code: Code) -> Code:
        if not any(spec.stated for spec in node.specs):
            return code
        return self.initialisation.applied(code, node.specs, node.tie.name if node.tie is not None else None)

    def standalone(self, node: OpNode) -> Code | None:
        """The module, if it only needs to be called with one tensor."""
        if type(node.op) in INVOCATIONS or len(node.inputs) != 1 or self.how(node) != "module":
            return None
        code = self._constructor(node)
        if id(code) not in self._dynamic:
            self._dynamic[id(code)] = code is not None and _is_dynamic(code)
        return None if code is None or self._dynamic[id(code)] else self._initialised(node, code)

    def expression(self, node: OpNode) -> Code:
        """The expression in `forward`."""
        emitter = (INVOCATIONS if self.is_member(node) else FUNCTIONS).get(type(node.op))
        if emitter is not None:
            return emitter(node.op, self._site(node))
        return SelfMember() if self.how(node) != "module" else called(len(node.inputs))

    def traits(self, node: OpNode, code: Code) -> StepInfo:
        op = node.op
        kind = kind_of(code.result if isinstance(code, LetCode) else code)
        return StepInfo(op.name, bool(node.specs), self.is_member(node), op.is_activation, False, kind)

    def _constructor(self, node: OpNode) -> Code | None:
        near = (len(node.outputs), id(node.op), *(id(v.type) for v in node.inputs))
        if near not in self._near:
            self._near[near] = self._distinct_constructor(node)
        return self._near[near]

    def _distinct_constructor(self, node: OpNode) -> Code | None:
        emitter = MODULES.get(type(node.op))
        if emitter is None:
            return None
        origins = origin_key((*node.op.numbers, *(v.type.shape for v in node.inputs)))
        key = (node.op, tuple(v.type for v in node.inputs), len(node.outputs), len(node.specs), origins)
        if key not in self._modules:
            self._modules[key] = self._emit(emitter, node)
        return self._modules[key]

    def _emit(self, emitter: Emitter, node: OpNode) -> Code:
        return emitter(node.op, self._site(node))

    def _site(self, node: OpNode) -> TorchSite:
        given = node.op.bind(tuple(v.type for v in node.inputs), self.facts)
        return TorchSite(node, given, tuple(v.type for v in node.outputs))


@cache
def called(inputs: int) -> Code:
    """A module called with all inputs."""
    return CallCode(SelfMember(), tuple(Ref(i) for i in range(inputs)))


def _is_dynamic(code: Code) -> bool:
    """Whether it needs sizes that a constructor does not know."""
    return isinstance(code, LetCode) or any(isinstance(p, Lit) and has_symbol(p.value) for p in parts(code))
