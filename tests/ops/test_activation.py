"""Activations: element types, shapes and refusals equal PyTorch's."""

import pytest
import torch
from torch import nn

from netc.compiler.backends.torch import BACKEND
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops import activation
from netc.compiler.ops.activation import Activation, Glu, Hardtanh, Prelu, Softplus, Threshold
from netc.compiler.ops.operator import Init, Operator, OperatorError, OpInputs
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, TensorType

ALL = [kind for kind in vars(activation).values() if isinstance(kind, type) and issubclass(kind, Activation) and kind.name]


def inferred(op: Operator, type: TensorType) -> TensorType | None:
    try:
        return op.check_and_infer(op.bind_inputs((type,), Facts.empty()))[0]
    except OperatorError:
        return None


@pytest.mark.parametrize("kind", ALL)
def test_types_and_shapes(kind: type[Activation]) -> None:
    op = kind()
    along = {"dim": -1} if "axis" in kind.signature else {}
    for dtype in DTYPES.values():
        found = inferred(op, TensorType(dtype, (2, 4)))
        element = getattr(torch, dtype.name)
        options = {"dtype": element} if kind is Prelu and dtype.is_float else along
        module = getattr(nn, BACKEND.operator_target(kind).removeprefix("torch.nn."))(**options)
        try:
            y = module(torch.ones(2, 4, dtype=element))
            expected: TensorType | None = TensorType(DTYPES[str(y.dtype).removeprefix("torch.")], tuple(y.shape))
        except RuntimeError:
            expected = None
        if kind is Hardtanh and dtype.kind == "uint":
            expected = None  # whatever the version of PyTorch makes of a limit of -1 there
        assert found == expected, dtype


@pytest.mark.parametrize("kind", ALL)
def test_defaults_are_those_of_pytorch(kind: type[Activation]) -> None:
    module = getattr(nn, BACKEND.operator_target(kind).removeprefix("torch.nn."))
    for name, arg in kind.signature.items():
        if name not in ("axis", "init", "num_parameters"):
            assert getattr(module(), name) == arg.default


def test_prelu_has_a_slope_for_each_channel() -> None:
    given = OpInputs((TensorType(FLOAT32, (make_symbol("N"), 3, 8)),), Facts.empty(), ("x",))
    (weight,) = Prelu(num_parameters="channels").parameters(given)
    assert (weight.shape, weight.init) == ((3,), Init("constant", (0.25,)))
    assert Prelu().parameters(given)[0].shape == (1,)


def test_glu_halves_symbolic_axes() -> None:
    t = make_symbol("T")
    assert inferred(Glu(), TensorType(FLOAT32, (make_symbol("N"), 2 * t))) == TensorType(FLOAT32, (make_symbol("N"), t))
    assert inferred(Glu(), TensorType(FLOAT32, (make_symbol("N"), 2 * t + 1))) is None


def test_arguments_that_pytorch_refuses() -> None:
    x = TensorType(FLOAT32, (2, 4))
    assert inferred(Hardtanh(min_val=1, max_val=1), x) is None
    assert inferred(Prelu(num_parameters=3), x) is None
    assert inferred(Prelu(num_parameters=4), x) == x
    assert inferred(Softplus(beta=-1), x) == x


def test_a_threshold_is_no_bare_word() -> None:
    assert all(kind.is_activation for kind in ALL)
    assert not Threshold.is_activation
