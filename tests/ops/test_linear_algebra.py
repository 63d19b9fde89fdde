"""Linear algebra: shapes, element types and refusals equal PyTorch's."""

from itertools import product

import pytest
import torch

from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.errors.linear_algebra import NarrowNumbers
from netc.compiler.errors.operator_errors import ShapeMismatch
from netc.compiler.errors.problem import input_location
from netc.compiler.ops.linear_algebra import CosineSimilarity, Einsum, Matmul, Outer
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, INT64, Shape, TensorType

NOTHING = Facts.empty()


def inferred(op: Operator, *shapes: Shape) -> Shape | None:
    try:
        return op.check_and_infer(op.bind_inputs(tuple(TensorType(FLOAT32, s) for s in shapes), NOTHING))[0].shape
    except OperatorError:
        return None


def actual(function: object, *shapes: Shape) -> Shape | None:
    try:
        return tuple(function(*(torch.ones([int(d) for d in s]) for s in shapes)).shape)  # type: ignore[operator,arg-type]
    except (RuntimeError, IndexError, ValueError):  # a ValueError of opt_einsum, which PyTorch uses where it is installed
        return None


SHAPES = [shape for rank in range(4) for shape in product((1, 2, 3), repeat=rank)]


def test_matmul_and_outer_are_those_of_pytorch() -> None:
    for a, b in product(SHAPES, SHAPES):
        assert inferred(Matmul(), a, b) == actual(torch.matmul, a, b), (a, b)
    for a, b in product(SHAPES[:12], SHAPES[:12]):
        assert inferred(Outer(), a, b) == actual(torch.outer, a, b), (a, b)


@pytest.mark.parametrize("axis", [-2, 0, 1, 2])
def test_cosine_similarity_is_that_of_pytorch(axis: int) -> None:
    for a, b in product(SHAPES[:13], SHAPES[:13]):
        expected = actual(lambda x, y: torch.cosine_similarity(x, y, dim=axis), a, b)
        assert inferred(CosineSimilarity(axis=axis), a, b) == expected, (a, b)


EQUATIONS = [
    "ij,jk->ik",
    "ij,jk",
    "iJ,kJ",
    "ij->",
    "ba",
    "ii->i",
    "ii",
    "ij->ij",
    "ij->jj",
    "ij->ik",
    "ij,",
    ",->",
    "->j",
    "...",
    "...i->i",
    "i...->...",
    "...ij,...jk->...ik",
    "...i,...j",
    "...a,...b->ab",
    "ij,jk->i...k",
    "i1,ij",
    "i..j->ij",
    "...i...->i",
    "ij->ji->",
    "ijk->ij",
    "iij,j->i",
    "i,ij,j->",
    "i,j,ij->ij",
    "ij,ij",
]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum_is_that_of_pytorch(equation: str) -> None:
    count = equation.partition("->")[0].count(",") + 1
    shapes = SHAPES[:13] if count > 1 else SHAPES
    for chosen in product(shapes, repeat=count) if count < 3 else product(SHAPES[1:13:2], repeat=count):
        expected = actual(lambda *xs: torch.einsum(equation, *xs), *chosen)
        assert inferred(Einsum(equation=equation), *chosen) == expected, chosen


def test_einsum_marks_the_first_tensor_that_is_summed_alone() -> None:
    tensors = tuple(TensorType(DTYPES["int32"], shape) for shape in ((2, 3), (2, 4), (2, 5), (2, 5)))
    op = Einsum(equation="ni,nj,nk,nk->n")
    with pytest.raises(OperatorError) as caught:
        op.check_and_infer(op.bind_inputs(tensors, NOTHING))
    assert (type(caught.value.problem), caught.value.at) == (NarrowNumbers, input_location(0))


def test_einsum_sums_integers_to_int64() -> None:
    for dtype in DTYPES.values():
        for equation in ("ij->j", "ij->ji", "ij->"):
            x = torch.ones(2, 3, dtype=getattr(torch, dtype.name))
            found = (
                Einsum(equation=equation)
                .check_and_infer(Einsum(equation=equation).bind_inputs((TensorType(dtype, (2, 3)),), NOTHING))[0]
                .dtype
            )
            assert f"torch.{found}" == str(torch.einsum(equation, x).dtype)


def test_a_mismatch_tells_which_to_transpose() -> None:
    def suggestion(*shapes: Shape) -> str:
        with pytest.raises(OperatorError) as refusal:
            Matmul().check_and_infer(Matmul().bind_inputs(tuple(TensorType(FLOAT32, s) for s in shapes), NOTHING))
        assert isinstance(refusal.value.problem, ShapeMismatch)
        return refusal.value.problem.suggestion

    n = make_symbol("N")
    assert suggestion((n, 5), (1, 5)) == "transpose the second one: `({1} -> transpose 0 1)`"
    assert suggestion((3, 5), (3, 7)) == "transpose the first one: `({0} -> transpose 0 1)`"
    assert suggestion((n, 5), (6, 7)) == ""
    assert suggestion((2, 3, 4), (5, 4, 3)) == ""


def test_flops_count_a_multiply_add_twice() -> None:
    n: Dim = make_symbol("N")
    a, b = TensorType(FLOAT32, (n, 3, 4)), TensorType(FLOAT32, (n, 4, 5))
    matmul, einsum = Matmul(), Einsum(equation="bij,bjk->bik")
    given = matmul.bind_inputs((a, b), NOTHING)
    assert matmul.count_flops(given, matmul.check_and_infer(given)) == n * 120
    given = einsum.bind_inputs((a, b), NOTHING)
    assert einsum.count_flops(given, einsum.check_and_infer(given)) == n * 120


def test_element_types_must_agree() -> None:
    shapes = (TensorType(FLOAT32, (2, 2)), TensorType(INT64, (2, 2)))
    for op in (Matmul(), Einsum(equation="ij,jk->ik")):
        with pytest.raises(OperatorError):
            op.check_and_infer(op.bind_inputs(shapes, NOTHING))


@pytest.mark.parametrize("name", ["bool", "uint8", "int32", "int64", "float16", "float32"])
@pytest.mark.parametrize(
    ("shape", "equation"), [((4, 3), "nij->ni"), ((4, 1), "nij->ni"), ((1, 4), "nij->nj"), ((4, 4), "nii->ni"), ((4, 3), "nij->nji")]
)
def test_einsum_of_one_tensor_has_the_type_of_pytorch(name: str, shape: tuple[int, int], equation: str) -> None:
    """An axis of 1 is summed over too, if it is one tensor's alone."""
    op, x = Einsum(equation=equation), TensorType(DTYPES[name], (2, *shape))
    try:
        expected = str(torch.einsum(equation, torch.ones(2, *shape, dtype=getattr(torch, name))).dtype)
    except RuntimeError:
        return
    assert f"torch.{op.check_and_infer(op.bind_inputs((x,), NOTHING))[0].dtype}" == expected
