"""Arithmetic: element types, shapes and refusals equal PyTorch's, over all pairs of types."""

from itertools import product

import pytest
import torch

import netc
from netc.compiler.backends.torch import BACKEND
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.errors.operator_errors import ShapeMismatch, Unprovable
from netc.compiler.ops.arithmetic import Add, BinaryOperator, Clamp, Div, FloorDiv, Maximum, Mul, Pair, Pow, Remainder, Sub
from netc.compiler.ops.broadcast import broadcast
from netc.compiler.ops.comparison import Eq, LogicalXor, Lt, Where
from netc.compiler.ops.elementwise import Numeric, Real, Square
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.types.tensor_types import BOOL, DTYPES, TensorType

BINARY: tuple[type[BinaryOperator], ...] = (Add, Sub, Mul, Div, FloorDiv, Remainder, Pow, Eq, Lt)
PAIRS: tuple[type[Pair], ...] = (Maximum, LogicalXor)
TYPES = [TensorType(dtype, shape) for dtype in DTYPES.values() for shape in ((), (2,))]
SCALARS: tuple[int | float | bool, ...] = (2, 2.5, True)
NOTHING = Facts.empty()


def example(type: TensorType) -> torch.Tensor:
    return torch.ones([int(d) for d in type.shape], dtype=getattr(torch, str(type.dtype)))  # type: ignore[arg-type]


def inferred(op: Operator, *types: TensorType) -> str | None:
    try:
        return str(op.check_and_infer(op.bind_inputs(types, NOTHING))[0].dtype)
    except OperatorError:
        return None


def actual(function: object, *arguments: object) -> str | None:
    try:
        return str(function(*arguments).dtype).removeprefix("torch.")  # type: ignore[operator]
    except (RuntimeError, TypeError):
        return None


@pytest.mark.parametrize("kind", [*BINARY, *PAIRS])
def test_types_of_two_tensors(kind: type[Operator]) -> None:
    function = eval(BACKEND.operator_target(kind), {"torch": torch})
    for a, b in product(TYPES, TYPES):
        assert inferred(kind(), a, b) == actual(function, example(a), example(b)), (a, b)


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("reverse", [False, True])
def test_types_of_a_tensor_and_a_number(kind: type[BinaryOperator], reverse: bool) -> None:
    function = eval(f"lambda a, b: a {kind.symbol} b")
    for a, scalar in product(TYPES, SCALARS):
        if kind is Pow and a.dtype == BOOL and scalar is True:
            continue  # PyTorch takes `True` as an exponent of booleans, though it does not know their powers.
        sides = (scalar, example(a)) if reverse else (example(a), scalar)
        assert inferred(kind(other=scalar, reverse=reverse), a) == actual(function, *sides), (a, scalar)


@pytest.mark.parametrize("kind", [*Real.__subclasses__(), *Numeric.__subclasses__(), Square])
def test_types_of_one_tensor(kind: type[Operator]) -> None:
    function = eval(BACKEND.operator_target(kind), {"torch": torch})
    for a in TYPES:
        assert inferred(kind(), a) == actual(function, example(a)), a


def test_types_of_where_and_clamp() -> None:
    for a, b in product(TYPES, TYPES):
        condition = TensorType(BOOL, a.shape)
        assert inferred(Where(), condition, a, b) == actual(torch.where, example(condition), example(a), example(b)), (a, b)
    for a, scalar in product(TYPES, (1, 0.5)):
        condition = TensorType(BOOL, a.shape)
        assert inferred(Where(other=scalar), condition, a) == actual(torch.where, example(condition), example(a), scalar), (a, scalar)
        assert inferred(Clamp(min=scalar), a) == actual(torch.clamp, example(a), scalar), (a, scalar)


SHAPES = [shape for rank in range(4) for shape in product((1, 2, 3), repeat=rank)]


def test_shapes_broadcast_as_in_pytorch() -> None:
    for a, b in product(SHAPES, SHAPES):
        try:
            expected: tuple[int, ...] | None = tuple(torch.broadcast_shapes(a, b))
        except RuntimeError:
            expected = None
        try:
            found = broadcast(a, b, NOTHING)
        except OperatorError:
            found = None
        assert found == expected, (a, b)


def test_symbolic_dimensions_must_be_equal() -> None:
    n, t = make_symbol("N"), make_symbol("T")
    assert broadcast((n, t, 1), (1, 5), NOTHING) == (n, t, 5)
    assert broadcast((n, 1), (n, 2 * t), NOTHING) == (n, 2 * t)
    with pytest.raises(OperatorError) as unknown:
        broadcast((n, t), (n, 5), NOTHING, "add")
    assert isinstance(unknown.value.problem, Unprovable)
    assert unknown.value.problem.advice == "T == 5"
    with pytest.raises(OperatorError) as known:
        broadcast((n, t), (n, t + 1), NOTHING, "add")
    assert isinstance(known.value.problem, ShapeMismatch)


def test_a_difference_is_told_before_a_doubt() -> None:
    with pytest.raises(OperatorError) as refusal:
        broadcast((make_symbol("N"), 3), (make_symbol("N"), 3, 4), NOTHING, "add")
    assert refusal.value.problem.format_message() == "cannot add [N, 3] and [N, 3, 4]"
    assert "unsqueeze" in refusal.value.problem.format_help()[0]


@pytest.mark.parametrize("cls", [c for c in Operator.registry.values() if issubclass(c, (BinaryOperator, Pair))], ids=lambda c: c.name)
def test_an_image_stays_an_image(cls: type[Operator]) -> None:
    dtype = "int64" if cls.name.startswith("bitwise") else "float32"
    graph = netc.compile(f"a = input 3x8x8 {dtype}; b = input 8x8 {dtype} batch=false; (a, b) -> {cls.name}").program.main
    assert [value.spatial for value in (*graph.inputs, *graph.outputs)] == [True, False, True]
