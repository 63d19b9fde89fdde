"""The tables of emitters: how a backend writes each operator.

An operator has a *module* form, made once in the constructor, a *function* form, an expression in the method that computes, or both: then
the module form is used in a row of modules and the function form elsewhere. A backend has one `Emitters`, whose methods are the decorators
that fill it:

    EMITTERS = Emitters(initialization)

    @EMITTERS.module(Dense, target="keras.layers.Dense")
    def emit_dense(op: Dense, site: OperatorSite) -> Code:
        return construct_module("keras.layers.Dense", {"units": op.units}, use_bias=Default(op.bias, True))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ...ir.graph import Graph, OpNode
from ...ops.operator import Operator
from .code.class_tree import NameCode, StrictLiteral
from .code.classes import ModuleRule
from .code.python_expressions import CallCode, Code, KeywordCode, Lit, Ref

Emitter = Callable[[Any, Any], Code]
E = TypeVar("E", bound=Emitter)
Names = str | Mapping[type[Operator], str]
"""The names of operators in the target: one name, in which `{}` is replaced by the operator's own, or one for each."""


class Initialization(Protocol):
    """Decides how the parameters of a program are initialized where the spec says so."""

    @property
    def rules(self) -> tuple[ModuleRule, ...]:
        """The rules that the main class applies to all modules. Empty where initial values are arguments of the modules."""

    def initialize_module(self, node: OpNode, code: Code) -> Code:
        """Return the code of a module with the code that initializes its parameters, unless a rule does."""


Modules = Callable[[OpNode], "Code | None"]
"""Returns the code of a node's module, or None."""


def _keep_emitter(operator: type[Operator], emitter: Emitter) -> Emitter:
    return emitter


class Emitters:
    """The tables of one backend, by the class of the operator.

    `modules`: the constructor's expression, in which parameters are named as `Operator.parameters` names them. `invocations`: how the
    module is called, where that is not with all inputs; such a module is never a member of a sequence. `functions`: the expression in the
    method, of the site's inputs. `given`: the same where the weight is one of the inputs, of `SelfMember()` too if there are buffers.
    `members`: whether an operator that has both forms is made in the constructor, for example because it draws random numbers.
    `names`: the operator's name in the target, for the documentation. `imports`: the modules of plugins that the emitted source imports.
    `initialization` decides how the modules of graphs are initialized, the main graph last. `decorator` is the function of `netc.plugins`
    that registers the emitters of plugins, if there is one. `adapt` returns the emitter of a function as it is kept.
    """

    def __init__(
        self,
        initialization: Callable[[Sequence[Graph], Modules], Initialization],
        decorator: str = "",
        adapt: Callable[[type[Operator], Emitter], Emitter] = _keep_emitter,
    ) -> None:
        self.initialization = initialization
        self.adapt = adapt
        self.decorator = decorator
        self.modules: dict[type[Operator], Emitter] = {}
        self.invocations: dict[type[Operator], Emitter] = {}
        self.functions: dict[type[Operator], Emitter] = {}
        self.given: dict[type[Operator], Emitter] = {}
        self.members: dict[type[Operator], Callable[[Any], bool]] = {}
        self.names: dict[type[Operator], str] = {}
        self.imports: dict[type[Operator], str] = {}

    def module(self, *operators: type[Operator], target: Names = "") -> Callable[[E], E]:
        return self._register(self.modules, operators, target)

    def invocation(self, *operators: type[Operator]) -> Callable[[E], E]:
        return self._register(self.invocations, operators, "")

    def function(self, *operators: type[Operator], target: Names = "") -> Callable[[E], E]:
        return self._register(self.functions, operators, target)

    def layer_function(self, *operators: type[Operator], target: Names = "") -> Callable[[E], E]:
        """Register a function of one tensor, which may also be a layer of a sequence: `nnx.relu`, `partial(max_pool, kernel_size=2)`."""

        def register(emitter: E) -> E:
            def emit_layer(op: Operator, site: Any) -> Any:
                match emitter(op, site):
                    case CallCode(str() as name, (Ref(0),), keywords) if all(map(_is_default, keywords)):
                        return NameCode(name)
                    case CallCode(str() as name, (Ref(0),), keywords):
                        return CallCode("partial", (NameCode(name),), keywords)
                return None

            self.modules.update(dict.fromkeys(operators, emit_layer))
            return self.function(*operators, target=target)(emitter)

        return register

    def given_weight(self, *operators: type[Operator]) -> Callable[[E], E]:
        return self._register(self.given, operators, "")

    def name_expanded(self, operator: type[Operator], target: str) -> None:
        """Name an operator that the lowering replaces by others, so that it needs no emitter."""
        self.names[operator] = target

    def describe_target(self, operator: type[Operator]) -> str:
        """Return the operator's name in the target, for its documentation. Empty if its definition is written."""
        return self.names.get(operator, "" if operator.has_definition() else "not supported")

    def has_kernel(self, operator: type[Operator]) -> bool:
        """Whether an operator is written as itself, rather than by its definition."""
        return operator in self.names or self.is_written(operator)

    def is_written(self, operator: type[Operator]) -> bool:
        """Whether an operator has an emitter. One that the lowering replaces has none."""
        return operator in self.functions or operator in self.modules

    def _register(self, table: dict[type[Operator], Emitter], operators: tuple[type[Operator], ...], names: Names) -> Callable[[E], E]:
        def put(emitter: E) -> E:
            for operator in operators:
                table[operator] = self.adapt(operator, emitter) if table is self.functions else emitter
                if names:
                    self.names[operator] = names.format(operator.name) if isinstance(names, str) else names[operator]
            return emitter

        return put


def _is_default(keyword: KeywordCode) -> bool:
    """Whether the call leaves the keyword out."""
    value = keyword.value
    return keyword.has_default and isinstance(value, Lit) and StrictLiteral(value.value) == StrictLiteral(keyword.default)
