"""Writes activations in PyTorch: `nn.ReLU()` in a sequence, `F.relu(x)` in `forward`."""

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
from ....ops.operator import Operator
from ...python.code.python_expressions import Code, Default, call_function, construct_module
from ..torch_emitters import TorchSite, function, module

_PLAIN: dict[type[Operator], str] = {
    Celu: "torch.nn.CELU",
    Elu: "torch.nn.ELU",
    Gelu: "torch.nn.GELU",
    Glu: "torch.nn.GLU",
    Hardshrink: "torch.nn.Hardshrink",
    Hardsigmoid: "torch.nn.Hardsigmoid",
    Hardswish: "torch.nn.Hardswish",
    Hardtanh: "torch.nn.Hardtanh",
    LeakyRelu: "torch.nn.LeakyReLU",
    Logsigmoid: "torch.nn.LogSigmoid",
    Mish: "torch.nn.Mish",
    Relu: "torch.nn.ReLU",
    Relu6: "torch.nn.ReLU6",
    Selu: "torch.nn.SELU",
    Sigmoid: "torch.nn.Sigmoid",
    Silu: "torch.nn.SiLU",
    Softplus: "torch.nn.Softplus",
    Softshrink: "torch.nn.Softshrink",
    Softsign: "torch.nn.Softsign",
    Tanh: "torch.nn.Tanh",
    Tanhshrink: "torch.nn.Tanhshrink",
}
_ALONG: dict[type[Operator], str] = {
    LogSoftmax: "torch.nn.LogSoftmax",
    Softmax: "torch.nn.Softmax",
    Softmin: "torch.nn.Softmin",
}
"""Activations whose `dim` is always written, because PyTorch warns if it is left out."""


def _get_module_name(name: str) -> str:
    """Return the module's name in the emitted source: `nn.ReLU`."""
    return name.removeprefix("torch.")


def _list_options(op: Operator) -> dict[str, object]:
    """Return the arguments by PyTorch's names, left out while they have their defaults, which are PyTorch's too."""
    return {"dim" if name == "axis" else name: Default(op.args[name], arg.default) for name, arg in op.signature.items()}


@module(*_PLAIN, target=_PLAIN)
def emit_plain_module(op: Operator, site: TorchSite) -> Code:
    return construct_module(_get_module_name(_PLAIN[type(op)]), {}, **_list_options(op))


@function(*_PLAIN)
def emit_plain_function(op: Operator, site: TorchSite) -> Code:
    return call_function(f"F.{op.name}", site.x, **_list_options(op))


@function(Sigmoid, Tanh)
def emit_torch_function(op: Operator, site: TorchSite) -> Code:
    # Registered after `emit_plain_function`, which it replaces: `F.sigmoid` and `F.tanh` only call these.
    return call_function(f"torch.{op.name}", site.x)


@module(*_ALONG, target=_ALONG)
def emit_along_module(op: Softmax, site: TorchSite) -> Code:
    return construct_module(_get_module_name(_ALONG[type(op)]), {}, dim=op.axis)


@function(*_ALONG)
def emit_along_function(op: Softmax, site: TorchSite) -> Code:
    return call_function(f"F.{op.name}", site.x, dim=op.axis)


@module(Threshold, target="torch.nn.Threshold")
def emit_threshold_module(op: Threshold, site: TorchSite) -> Code:
    return construct_module("nn.Threshold", {"threshold": op.threshold, "value": op.value})


@function(Threshold)
def emit_threshold_function(op: Threshold, site: TorchSite) -> Code:
    return call_function("F.threshold", site.x, op.threshold, op.value)
