"""The base class of operators. An operator is one declarative class.

    class Bilinear(Operator):
        '''Bilinear form of two tensors over their last axes: `y_o = a^T W_o b + bias_o`.'''

        name = "bilinear"
        takes_activation = True
        a = Input(FLOATS, SOME_AXES)
        b = Input(FLOATS, SOME_AXES, like="a")
        units = Arg(SIZE, positional=True)
        bias = Arg(FLAG, default=True)

        def infer_types(self, inputs): return (inputs.a.with_shape((*inputs.a.shape[:-1], self.units)),)
        def parameters(self, inputs): ...
        def count_flops(self, inputs, results): ...
        def count_multiply_adds(self, inputs, results): ...

An instance is an operator with its arguments checked and normalized: `op.units` is a dimension, `op.bias` a bool. Its inputs are declared
in the class (operand.py), and the type rule `infer_types` finds their types by name, `inputs.a`. An operator with a `definition` may leave
out `infer_types` and the costs: they follow from the definition. Emitters write an operator in PyTorch or ONNX. They are in tables keyed by
the class (netc.compiler.backends), so this package knows nothing about backends.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from math import copysign
from typing import Any, ClassVar, Protocol, Self

from ..dims import Dim, Facts
from ..errors.problem import Location, Problem
from ..types.tensor_types import Shape, TensorType
from ..types.traced_ints import TracedInt, substitute_values
from .argument import REQUIRED as REQUIRED
from .argument import Arg, Required, UnusedArgument
from .families import FAMILIES
from .kinds import Kind
from .learned_tensors import Init, ParameterSpec
from .op_inputs import OpInputs, check_inputs
from .operand import NAMED, REVERSE, Operands, OperatorError, operand_arity
from .operator_registry import Registry
from .plugin_results import check_plugin_class
from .promotion import Scalar

__all__ = ["Arg", "Init", "Operator", "OperatorError", "OpInputs", "ParameterSpec", "Required", "numel", "strict_key"]


class Derivation(Protocol):
    """The types and the costs of an operator, derived from its definition."""

    def infer_types(self, op: Operator, inputs: OpInputs) -> tuple[TensorType, ...]:
        """The types of the results, or an `OperatorError`."""

    def count_operations(self, op: Operator, inputs: OpInputs, results: tuple[TensorType, ...]) -> tuple[Dim, Dim]:
        """The floating-point operations, and the multiply-adds among them."""


class Operator:
    """The base of all operators. Subclasses with a `name` are registered by it; the docstring's first line is the meaning."""

    name: ClassVar[str] = ""
    takes_activation: ClassVar[bool] = False
    """Whether an activation may follow the arguments: `dense 2 sigmoid`."""
    is_activation: ClassVar[bool] = False
    """Whether it may follow the arguments of another stage as a bare word."""
    spatial: ClassVar[bool] = False
    """Whether it works on `[N, C, ...]` with one to three spatial axes."""
    pointwise: ClassVar[bool] = False
    """Whether the axes keep their meaning if the result has the shape of an input: channels stay channels."""
    draws: ClassVar[bool] = False
    """Whether PyTorch draws random numbers for it in training. For an operator with an argument `dropout`, see `may_draw`."""
    symbol: ClassVar[str] = ""
    """The symbol between two tensors, such as `+`. Empty: it can only be written as a stage."""
    prefix_symbol: ClassVar[str] = ""
    """The symbol before a tensor: `-`."""
    folds: ClassVar[bool] = False
    """Whether more than two tensors are allowed: it is applied to the first two, then to the result and the next one, and so on."""
    extras: ClassVar[bool] = False
    """Whether the results after the first are extras: the next stage gets the first result only, unless all are unpacked."""
    open_keywords: ClassVar[Kind[Any] | None] = None
    """The kind of the values of further keywords, which may have any name. `args["sizes"]` has their names and values, as written."""
    examples: ClassVar[tuple[str, ...]] = ()
    """Complete one-line models that compile."""
    definition: ClassVar[str] = ""
    """Its definition by other operators, in netc's own text: the body of a block in which its inputs, parameters and arguments are names
    (netc.compiler.definitions). Empty for a primitive."""

    operands: ClassVar[Operands] = {}
    """The declared inputs, by name: a declaration adds itself."""
    signature: ClassVar[dict[str, Arg[Any]]] = {}
    """The declared arguments, by name."""
    slots: ClassVar[tuple[Arg[Any], ...]] = ()
    """The arguments that may be written without a name, in order."""
    required: ClassVar[tuple[Arg[Any], ...]] = ()
    """The arguments without a default."""
    aliases: ClassVar[dict[str, Arg[Any]]] = {}
    """The arguments by all their names, aliases included."""
    registry: ClassVar[Registry[Operator]] = Registry(FAMILIES)
    derivation: ClassVar[staticmethod[[], Derivation]]
    """Returns the object that derives types and costs from definitions. Definitions are elaborated in a layer above this one, so
    `netc.compiler` sets this hook."""

    def __init_subclass__(cls) -> None:
        # From the base down: an argument that a subclass declares anew keeps its position among the inherited ones.
        declared = {name: arg for base in reversed(cls.__mro__) for name, arg in vars(base).get("signature", {}).items()}
        # `sorted` is stable: the inherited arguments come first, and `init` and others with `last` come after the
        # operator's own.
        cls.signature = dict(sorted(declared.items(), key=lambda item: item[1].last))
        arguments = cls.signature.values()
        cls.slots = tuple([arg for arg in arguments if arg.positional])
        cls.required = tuple([arg for arg in arguments if isinstance(arg.default, Required)])
        cls.aliases = {name: arg for arg in arguments for name in (arg.name, arg.alias) if name}
        if cls.is_plugin():
            check_plugin_class(cls)
        # A base without a name of its own, such as `Pointwise`, is no operator of the language.
        if "name" in vars(cls) and cls.name:
            if cls.infer_types is Operator.infer_types and not cls.has_definition():
                raise TypeError(f"the operator `{cls.name}` needs a `definition`, or an `infer_types` that returns its types")
            Operator.registry.add(cls.name, cls)

    def __init__(self, **args: Any) -> None:
        """`args` has values that the kinds have checked. A missing argument takes its default."""
        for name, arg in self.signature.items():
            if name not in args:
                if isinstance(arg.default, Required):
                    raise TypeError(f"{self.name} lacks {name}")
                args[name] = arg.default
        if self.open_keywords is not None:
            args.setdefault("sizes", ())
        self.args = args

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """The numbers that are used instead of inputs."""
        numbers = (self.args[name] for name, operand in self.operands.items() if operand.or_number)
        return tuple(number for number in numbers if number is not None)

    @property
    def number_first(self) -> bool:
        """Whether the number comes before the tensor."""
        return bool(self.args.get(REVERSE))

    @property
    def numbers(self) -> tuple[Any, ...]:
        """The values that may contain integers with formulas."""
        return tuple(self.args.values())

    def substitute_values(self, places: Mapping[str, Any]) -> Self:
        """Return the operator with values in place of the symbols in its integers."""
        return type(self)(**{name: substitute_values(value, places) for name, value in self.args.items()})

    def identity_key(self) -> tuple[object, ...]:
        """Return a key that is equal for operators of one class with equal arguments. `1`, `1.0` and `true` are different arguments."""
        return self._identity

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        return (type(self), tuple((name, strict_key(self.args[name])) for name in sorted(self.args)))

    # Operators are keys of caches, so equal ones must be interchangeable: see `strict_key`.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operator) and self.identity_key() == other.identity_key()

    def __hash__(self) -> int:
        return hash(self.identity_key())

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.args.items())})"

    def find_unused_arguments(self) -> dict[str, UnusedArgument]:
        """Find the arguments that have no effect, given the other arguments. Each comes with the reason."""
        missing = {name for name, arg in self.signature.items() if arg.is_none(self.args[name])}
        without = {name: [n for n in arg.only_with if n in missing] for name, arg in self.signature.items()}
        return {
            name: UnusedArgument(f"this `{self.name}` has no `{others[0]}`", tuple(others)) for name, others in without.items() if others
        }

    # --- the rules -------------------------------------------------------------------------------------------------------

    def bind_inputs(self, types: tuple[TensorType, ...], facts: Facts) -> OpInputs:
        """Bind the types of the inputs to the names of the operands."""
        return OpInputs(types, facts, self.assign_operands(types))

    def assign_operands(self, types: tuple[TensorType, ...]) -> tuple[str, ...]:
        """Return the name of the operand that each input is."""
        # Inputs that were given by name are the last ones: the elaborator has put them there.
        named: tuple[str, ...] = self.args.get(NAMED, ())
        return (*self.assign_in_order(types[: len(types) - len(named)]), *named)

    def assign_in_order(self, types: tuple[TensorType, ...]) -> tuple[str, ...]:
        """Return the operands' names for inputs without names, in the order of declaration."""
        names = tuple(self.operands)
        # The last operand may be `Inputs`, which takes all that remain.
        return names[: len(types)] + names[-1:] * (len(types) - len(names))

    def check_and_infer(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        """Return the types of the results, or raise an `OperatorError`. Inputs are checked against their declarations first, so that a type
        rule sees only the element types and ranks that its class declares."""
        check_inputs(self.name, self.operands, inputs, self.args)
        return self.infer_types(inputs)

    @property
    def may_draw(self) -> bool:
        """Whether PyTorch may draw random numbers for this use in training. A plugin's operator always may."""
        return self.draws or bool(self.args.get("dropout")) or not type(self).__module__.startswith("netc.")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        """The type rule: return the types of the results for inputs that are as declared, or raise an `OperatorError`. By default, the
        definition gives the types."""
        return self.derivation().infer_types(self, inputs)

    def parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        """The learned tensors and buffers. Called after `check_and_infer` has accepted the inputs."""
        return ()

    def write_definition(self, inputs: OpInputs) -> str:
        """Return the definition's text for these inputs; empty if there is none."""
        return self.definition

    @classmethod
    def is_plugin(cls) -> bool:
        """Whether a plugin has declared it."""
        return cls.__module__.rpartition(".")[0] != __package__

    @classmethod
    def has_definition(cls) -> bool:
        """Whether it has a definition, at least for some inputs."""
        return bool(cls.definition) or cls.write_definition is not Operator.write_definition

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Count the floating-point operations of one use; a multiply-add counts as two. By default, these are the operations of the
        definition, or one for each element of the first result if there is no definition."""
        return self.derivation().count_operations(self, inputs, results)[0] if self.write_definition(inputs) else numel(results[0].shape)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Count the multiply-adds of matrix products and convolutions, as papers do; each of them is two operations in `count_flops`. By
        default, these are the multiply-adds of the definition if the definition also gives the `count_flops`, and else 0."""
        derived = type(self).count_flops is Operator.count_flops and self.write_definition(inputs)
        return self.derivation().count_operations(self, inputs, results)[1] if derived else 0

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        """Return warnings about arguments and types that are allowed but almost always a mistake."""
        return ()

    def find_source_warnings(self, inputs: OpInputs, sources: Mapping[str, Operator]) -> tuple[tuple[Problem, Location], ...]:
        """Return warnings about the operators that made the inputs. `sources` has the operator by the input's name, where it is known."""
        return ()

    @classmethod
    @cache
    def arity(cls) -> tuple[int, int | None]:
        """The least and the greatest number of inputs; None: no bound."""
        return operand_arity(cls.operands)


def strict_key(value: object) -> object:
    """Return a key that distinguishes 1, 1.0 and true, and 0.0 and -0.0, which are equal in Python.

    >>> 1 == 1.0 == True, strict_key(1) == strict_key(1.0)
    (True, False)
    """
    if isinstance(value, tuple):
        return tuple(strict_key(v) for v in value)
    if isinstance(value, TracedInt):
        # `type(value)` would tell a traced integer from a plain one, though they are the same number.
        return (int, value)
    return (float, value, copysign(1, value)) if isinstance(value, float) else (type(value), value)


def numel(shape: Shape) -> Dim:
    """Return the number of elements of a tensor of that shape, as `torch.numel` does."""
    total: Dim = 1
    for d in shape:
        total = total * d
    return total
