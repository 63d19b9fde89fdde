"""What an operator is: one declarative class.

    class Dense(Operator):
        '''Fully connected: `y = x W^T + b` over the last axis.'''

        name = "dense"
        torch = "torch.nn.Linear"
        onnx = "Gemm, MatMul"
        takes_activation = True
        units = Arg(SIZE, positional=True)
        bias = Arg(BOOL, default=True)

        def infer(self, given): ...
        def parameters(self, given): ...
        def flops(self, given, results): ...
        def multiply_adds(self, given, results): ...

An instance is an operator with its arguments checked and normalised: `op.units` is a dimension, `op.bias` a bool. What an operator *does*
is told by its emitters, one a backend, in tables keyed by the class (netc.compiler.backends); nothing here knows of backends.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import copysign
from typing import Any, ClassVar, Generic, TypeVar, overload

from netc.dsl.record import Record

from ..dims import Dim, Facts
from ..errors.base import Location, Problem
from ..ir.types import FLOAT32, DType, Shape, TensorType
from .kinds import Kind

T = TypeVar("T")


class OperatorError(Exception):
    """Raised by a rule of an operator: `problem` is the error, `at` the place of it within the stage."""

    def __init__(self, problem: Problem, at: Location) -> None:
        super().__init__(problem.message())
        self.problem = problem
        self.at = at


class Required:
    """The default of an argument that must be given."""

    def __repr__(self) -> str:
        return "(required)"


REQUIRED = Required()


class Arg(Generic[T]):
    """A declared argument of an operator. On an instance, the attribute is the checked value.

    `kind` says which values are allowed and converts them. Positional arguments are taken in the order of declaration.
    """

    name: str

    def __init__(self, kind: Kind[T], *, default: T | Required | None = REQUIRED, positional: bool = False, alias: str = "") -> None:
        self.kind = kind
        self.default = default
        self.positional = positional
        self.alias = alias

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.rstrip("_")

    @overload
    def __get__(self, instance: None, owner: type) -> Arg[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Arg[T] | T:
        if instance is None:
            return self
        value: T = instance.args[self.name]  # type: ignore[attr-defined]
        return value


class Init(Record):
    """How a parameter starts: `zeros`, `ones`, `constant(value)`, `normal(std)`, `uniform(low, high)`, `xavier_uniform`,
    `normal_zero_row(std, row)`.

    `xavier_uniform` draws from +-sqrt(6 / (fan_in + fan_out)) of a matrix, as torch.nn.init.xavier_uniform_ does; `normal_zero_row` is
    normal but for one row, which is zero, as the padding of torch.nn.Embedding.
    """

    kind: str
    values: tuple[float, ...] = ()


class ParameterSpec(Record):
    """A learned tensor or buffer of one operator. `name` is PyTorch's, local (`weight`); empty: the label itself is the name."""

    name: str
    shape: Shape
    init: Init
    dtype: DType = FLOAT32
    trainable: bool = True
    persistent: bool = True


class OpInputs(Record):
    """What a rule may look at: the types of the inputs and what is known of the dimensions."""

    types: tuple[TensorType, ...]
    facts: Facts

    def __iter__(self) -> Iterator[TensorType]:
        return iter(self.types)

    def __getitem__(self, index: int) -> TensorType:
        return self.types[index]

    def __len__(self) -> int:
        return len(self.types)


class Operator:
    """The base of all operators. Subclasses with a `name` are registered by it; the docstring's first line is the meaning."""

    name: ClassVar[str] = ""
    torch: ClassVar[str] = ""
    onnx: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    """Names of the tensors taken: `mask?` is optional, `*xs` is any number, from one."""
    takes_activation: ClassVar[bool] = False
    """`dense 2 sigmoid` is allowed."""
    is_activation: ClassVar[bool] = False
    """May stand as the bare word behind another stage."""
    spatial: ClassVar[bool] = False
    """Works on `[N, C, ...]` with one to three spatial axes."""
    pointwise: ClassVar[bool] = False
    """Where the result has the shape of an input, its axes mean the same: channels stay channels."""
    symbol: ClassVar[str] = ""
    """How it is written between two tensors, such as `+`; empty: only as a stage."""
    prefix_symbol: ClassVar[str] = ""
    """How it is written before a tensor: `-`."""
    extras: ClassVar[bool] = False
    """Only the first result flows on, unless all are unpacked."""
    open_keywords: ClassVar[Kind[Any] | None] = None
    """Further keywords of any name are allowed, each value of this kind: `args["sizes"]` holds their (name, value), as written."""
    examples: ClassVar[tuple[str, ...]] = ()
    """Whole one-line models that compile."""

    signature: ClassVar[dict[str, Arg[Any]]] = {}
    registry: ClassVar[dict[str, type[Operator]]] = {}

    def __init_subclass__(cls) -> None:
        own = {arg.name: arg for arg in vars(cls).values() if isinstance(arg, Arg)}
        cls.signature = {**cls.signature, **own}
        if "name" in vars(cls) and cls.name:
            if cls.name in Operator.registry:
                raise ValueError(f"two operators are called {cls.name}")
            Operator.registry[cls.name] = cls

    def __init__(self, **args: Any) -> None:
        """`args` are values that the kinds have checked; what is missing takes its default."""
        for name, arg in self.signature.items():
            if name not in args:
                if isinstance(arg.default, Required):
                    raise TypeError(f"{self.name} lacks {name}")
                args[name] = arg.default
        if self.open_keywords is not None:
            args.setdefault("sizes", ())
        self.args = args

    def key(self) -> tuple[object, ...]:
        """Equal for operators that do the same."""
        return (type(self), tuple((name, strict_key(self.args[name])) for name in sorted(self.args)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operator) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.args.items())})"

    # --- the rules -------------------------------------------------------------------------------------------------------

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        """The types of the results, or a `OperatorError`."""
        raise NotImplementedError

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        """The learned tensors and buffers. Called after `infer` has accepted the inputs."""
        return ()

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Floating-point operations for one run; a multiply-add counts two. The default: one for each element of the first result."""
        return numel(results[0].shape)

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Those of its matrix products and convolutions, as papers count; each is two of the `flops`. The default: there are none."""
        return 0

    def warnings(self, given: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        """What is allowed but almost always a mistake."""
        return ()

    @classmethod
    def arity(cls) -> tuple[int, int | None]:
        """The least and the greatest number of inputs; None: no bound."""
        if any(n.startswith("*") for n in cls.inputs):
            return 1, None
        return sum(not n.endswith("?") for n in cls.inputs), len(cls.inputs)


def strict_key(value: object) -> object:
    """A key for a value that tells 1, 1.0 and true apart, and 0.0 and -0.0, which Python holds to be equal."""
    if isinstance(value, tuple):
        return tuple(strict_key(v) for v in value)
    return (type(value), value, copysign(1, value)) if isinstance(value, float) else (type(value), value)


def numel(shape: Shape) -> Dim:
    total: Dim = 1
    for d in shape:
        total = total * d
    return total
