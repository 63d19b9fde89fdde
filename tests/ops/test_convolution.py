"""Convolutions: shapes and refusals equal PyTorch's, over a grid of arguments."""

from itertools import product

import pytest
import torch
from torch import nn

from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.convolution import Conv, ConvTranspose
from netc.compiler.ops.operator import Operator, OperatorError, OpInputs
from netc.compiler.types.tensor_types import FLOAT32, TensorType

N, H = make_symbol("N"), make_symbol("H")


def inferred(op: Operator, *shape: Dim) -> tuple[Dim, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((TensorType(FLOAT32, shape),), Facts.empty()))[0].shape
    except OperatorError:
        return None


def actual(make: type[nn.Module], shape: tuple[int, ...], **arguments: object) -> tuple[int, ...] | None:
    """What PyTorch makes of it; None where it refuses, or leaves nothing."""
    try:
        with torch.no_grad():
            found = tuple(make(shape[1], 2, **arguments)(torch.zeros(shape)).shape)
    except (RuntimeError, ValueError):
        return None
    return found if all(found) else None


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
def test_conv_is_that_of_pytorch(padding_mode: str) -> None:
    for size, kernel, stride, dilation in product((1, 2, 7), (1, 2, 4), (1, 3), (1, 2)):
        for padding in (0, 1, 3, "same", "valid"):
            arguments = {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": padding_mode}
            found = inferred(Conv(channels=2, kernel=kernel, **arguments), 1, 1, size)
            expected = actual(nn.Conv1d, (1, 1, size), kernel_size=kernel, **arguments)
            assert found == expected, (size, kernel, arguments)


def test_conv_transpose_is_that_of_pytorch() -> None:
    for size, kernel, stride, dilation in product((1, 2, 5), (1, 2, 3), (1, 2, 3), (1, 2)):
        for padding, extra in product((0, 1, 3), (0, 1, 2)):
            arguments = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": extra}
            found = inferred(ConvTranspose(channels=2, kernel=kernel, **arguments), 1, 1, size)
            expected = actual(nn.ConvTranspose1d, (1, 1, size), kernel_size=kernel, **arguments)
            assert found == expected, (size, kernel, arguments)


@pytest.mark.parametrize("groups", [1, 2, 3, 4])
@pytest.mark.parametrize(("make", "module"), [(Conv, nn.Conv2d), (ConvTranspose, nn.ConvTranspose2d)])
def test_groups_divide_both_channels(make: type[Operator], module: type[nn.Module], groups: int) -> None:
    for channels in (2, 3, 4, 6):
        found = inferred(make(channels=2, kernel=1, groups=groups), 1, channels, 3, 3)
        assert found == actual(module, (1, channels, 3, 3), kernel_size=1, groups=groups)


def test_sizes_stay_symbolic() -> None:
    assert inferred(Conv(channels=4, kernel=3, padding=1), N, 3, H, H) == (N, 4, H, H)
    assert inferred(Conv(channels=4, kernel=3, padding=1, stride=2), N, 3, H, 9) == (N, 4, (H + 1) // 2, 5)
    assert inferred(Conv(channels=4, kernel=4, padding="same"), N, 3, H) == (N, 4, H)
    assert inferred(ConvTranspose(channels=4, kernel=2, stride=2), N, 3, H) == (N, 4, 2 * H)


def test_a_bound_can_prove_that_the_kernel_does_not_fit() -> None:
    small = make_symbol("S", upper=4)
    assert inferred(Conv(channels=1, kernel=5), N, 1, small) is None
    assert inferred(Conv(channels=1, kernel=4), N, 1, small) == (N, 1, small - 3)
    assert inferred(Conv(channels=1, kernel=3, padding=4, padding_mode="reflect"), N, 1, small) is None


@pytest.mark.parametrize(("make", "module"), [(Conv, nn.Conv2d), (ConvTranspose, nn.ConvTranspose2d)])
def test_parameters_start_as_in_pytorch(make: type[Operator], module: type[nn.Module]) -> None:
    given = OpInputs((TensorType(FLOAT32, (N, 8, 64, 64)),), Facts.empty(), ("x",))
    weight, bias = make(channels=64, kernel=(3, 5), groups=2).parameters(given)
    real = module(8, 64, (3, 5), groups=2)
    assert (weight.shape, bias.shape) == (tuple(real.weight.shape), tuple(real.bias.shape))
    for spec, tensor in ((weight, real.weight), (bias, real.bias)):
        _, high = spec.init.values
        assert 0.9 * high < float(tensor.detach().abs().max()) <= high
