"""The emitters that frameworks with NumPy's names share, and the words by which these frameworks differ.

In: the emitters of this folder, which register in `ARRAY`, and the `ArrayWords` of a framework. Out: the framework's own `Emitters` with
all of them, except those that it lacks. Always: an emitter writes the framework's words from its site: `site.words.call("where", ...)` is
`jnp.where(...)` in JAX and `mx.where(...)` in MLX. What a framework writes in another way, its own emitter registers afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from netc.dsl.record import Record

from ....ops.operator import Init, Operator
from ....types.tensor_types import FLOAT32, DType
from ..code.framework import Framework
from ..code.python_expressions import Code, Default, FrameworkValue, Lit, TupleCode, call_function
from ..emitters import Emitter, Emitters, Names
from ..operator_calls import OperatorSite
from ..operator_forms import add_syntax

E = TypeVar("E", bound=Callable[[Any, Any], Any])


class ArrayWords(Record):
    """The words of a framework.

    `arrays` and `activations` are the names of its modules in a file. `documented`: what `{array}`, `{nn}`, `{random}`, `{tensor}` and
    `{dropout}` are in documentation.
    `functions`: the functions of operators, where an emitter does not know the name. `targets`: the names of operators in documentation,
    where they are not the shared ones. `clip`: the keywords of the ends in `clip`. `dropout`: the class of dropout.
    `draws`: what the constructors of modules take that draw their parameters. `read_variable`: the array of a parameter or buffer.
    `hold_constant`: the value of a member that is no parameter, and `read_constant`, its array. `draw_tensor`: a new tensor.
    `default_integer`: the element type of indices.
    """

    framework: Framework
    arrays: str
    activations: str
    documented: Mapping[str, str]
    functions: Mapping[type[Operator], str]
    targets: Mapping[type[Operator], str]
    clip: tuple[str, str]
    dropout: str
    get_dtype: Callable[[DType], FrameworkValue]
    default_integer: Code
    draws: Mapping[str, Code]
    read_variable: Callable[[Code], Code]
    hold_constant: Callable[[Code], Code]
    read_constant: Callable[[Code], Code]
    draw_tensor: Callable[[Init, Code, Code], Code]

    def get_function(self, operator: Operator) -> str:
        """Return the function of an operator: by default, the function of arrays with its name."""
        return self.functions.get(type(operator), f"{self.arrays}.{operator.name}")

    def get_documented_name(self, operator: type[Operator], name: str) -> str:
        """Return the operator's name in documentation. `name` is the shared one."""
        if operator in self.targets:
            return self.targets[operator]
        if operator not in self.functions:
            return name.format(operator.name, **self.documented)
        module, _, function = self.functions[operator].rpartition(".")
        full = {self.arrays: self.documented["array"], self.activations: self.documented["nn"]}.get(module, module)
        return f"{full}.{function}" if full else function

    def call(self, name: str, *arguments: object, **keywords: object) -> Code:
        """Call a function of arrays: `jnp.where(mask, x, 0)`."""
        return call_function(f"{self.arrays}.{name}", *arguments, **keywords)

    def call_nn(self, name: str, *arguments: object, **keywords: object) -> Code:
        """Call a function of neural networks: `nnx.relu(x)`."""
        return call_function(f"{self.activations}.{name}", *arguments, **keywords)

    def call_clip(self, tensor: Code, low: object, high: object) -> Code:
        """Clip to two numbers, each of which may be None."""
        ends = {name: Default(end, None) for name, end in zip(self.clip, (low, high), strict=True)}
        return self.call("clip", tensor, **ends)

    def make_dtype_keyword(self, dtype: DType) -> Default:
        """Make the value of `dtype=`, which is left out where it is the default of the definitions."""
        return Default(self.get_dtype(dtype), self.get_dtype(FLOAT32))


class ArraySite(OperatorSite):
    """The use of an operator that is to be written, in the words of a framework."""

    words: ArrayWords


class SharedEmitters:
    """Emitters of an operator and an `ArraySite`, with the decorators of `Emitters`."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, tuple[type[Operator], ...], Names, Callable[[Any, Any], Any]]] = []
        self._expanded: dict[type[Operator], str] = {}
        self.members: dict[type[Operator], Callable[[Any], bool]] = {}

    def module(self, *operators: type[Operator], target: Names = "") -> Callable[[E], E]:
        return self._keep("module", operators, target)

    def invocation(self, *operators: type[Operator]) -> Callable[[E], E]:
        return self._keep("invocation", operators, "")

    def function(self, *operators: type[Operator], target: Names = "") -> Callable[[E], E]:
        return self._keep("function", operators, target)

    def given(self, *operators: type[Operator]) -> Callable[[E], E]:
        return self._keep("given_weight", operators, "")

    def layer_function(self, *operators: type[Operator], target: Names = "") -> Callable[[E], E]:
        """Register a function of one tensor, which may also be a layer of a sequence: `nnx.relu`, `partial(max_pool, kernel_size=2)`."""
        return self._keep("layer_function", operators, target)

    def add_all(self, emitters: Emitters, words: ArrayWords, lacking: Collection[type[Operator]] = ()) -> None:
        """Register the emitters in a framework's tables, except for the operators that it lacks."""
        add_syntax(emitters, words.documented["array"] + ".{}")
        for kind, operators, names, emitter in self._entries:
            kept = [operator for operator in operators if operator not in lacking]
            getattr(emitters, kind)(*kept)(_with_words(emitter, words))
            for operator in kept if names else ():
                name = names if isinstance(names, str) else names[operator]
                emitters.names[operator] = words.get_documented_name(operator, name)
        for operator, name in self._expanded.items():
            emitters.name_expanded(operator, words.get_documented_name(operator, name))
        emitters.members.update(self.members)

    def name_expanded(self, operator: type[Operator], target: str) -> None:
        """Name an operator that the lowering replaces by others, so that it needs no emitter."""
        self._expanded[operator] = target

    def _keep(self, kind: str, operators: tuple[type[Operator], ...], target: Names) -> Callable[[E], E]:
        def put(emitter: E) -> E:
            self._entries.append((kind, operators, target, emitter))
            return emitter

        return put


def _with_words(emitter: Callable[[Any, Any], Any], words: ArrayWords) -> Emitter:
    return lambda op, site: emitter(op, ArraySite(site.node, site.given, site.results, words))


def shape_code(sizes: tuple[object, ...]) -> Code:
    """Write a shape as a tuple."""
    return TupleCode(tuple(size if isinstance(size, Code) else Lit(size, "size") for size in sizes))  # type: ignore[arg-type]


ARRAY = SharedEmitters()
