"""Activations in PyTorch: `nn.ReLU()` in a sequence, `F.relu(x)` in `forward`."""

from __future__ import annotations

from ....ops.activation import (
    Celu,
    Elu,
    Gelu,
    Glu,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyRelu,
    Logsigmoid,
    LogSoftmax,
    Mish,
    Prelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from ....ops.base import Operator
from ..code import Code, Ref, call, construct, dtype_keyword
from ..table import TorchSite, function, module

_PLAIN = (
    Celu,
    Elu,
    Gelu,
    Glu,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyRelu,
    Logsigmoid,
    Mish,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
)
_ALONG = (LogSoftmax, Softmax, Softmin)


def _options(op: Operator) -> dict[str, object]:
    """The arguments by PyTorch's names, left out while they have their defaults, which are PyTorch's too."""
    return {"dim" if name == "axis" else name: (op.args[name], arg.default) for name, arg in op.signature.items()}


@module(*_PLAIN)
def plain_module(op: Operator, site: TorchSite) -> Code:
    return construct(op.torch.removeprefix("torch."), {}, **_options(op))


@function(*_PLAIN)
def plain_function(op: Operator, site: TorchSite) -> Code:
    return call(f"F.{op.name}", Ref(0), **_options(op))


@function(Sigmoid, Tanh)
def torch_function(op: Operator, site: TorchSite) -> Code:
    return call(f"torch.{op.name}", Ref(0))


@module(*_ALONG)
def along_module(op: Softmax, site: TorchSite) -> Code:
    return construct(op.torch.removeprefix("torch."), {}, dim=op.axis)


@function(*_ALONG)
def along_function(op: Softmax, site: TorchSite) -> Code:
    return call(f"F.{op.name}", Ref(0), dim=op.axis)


@module(Threshold)
def threshold_module(op: Threshold, site: TorchSite) -> Code:
    return construct("nn.Threshold", {"threshold": op.threshold, "value": op.value})


@function(Threshold)
def threshold_function(op: Threshold, site: TorchSite) -> Code:
    return call("F.threshold", Ref(0), op.threshold, op.value)


@module(Prelu)
def prelu(op: Prelu, site: TorchSite) -> Code:
    x = site.given[0]
    return construct("nn.PReLU", {}, num_parameters=(op.count(x), 1), init=(op.init, 0.25), dtype=dtype_keyword(x.dtype))
