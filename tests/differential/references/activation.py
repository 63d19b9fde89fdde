"""Activations, as modules or functions of PyTorch's."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.differential.references.call import Call


def slopes(a: Call, x: torch.Tensor) -> nn.PReLU:
    count = x.shape[1] if a.num_parameters == "channels" else a.num_parameters
    return nn.PReLU(count, dtype=x.dtype)


FUNCTIONS = {
    "celu": lambda a, x: F.celu(x, a.alpha),
    "elu": lambda a, x: F.elu(x, a.alpha),
    "gelu": lambda a, x: F.gelu(x, approximate=a.approximate),
    "glu": lambda a, x: F.glu(x, a.axis),
    "hardshrink": lambda a, x: F.hardshrink(x, a.lambd),
    "hardsigmoid": lambda a, x: F.hardsigmoid(x),
    "hardswish": lambda a, x: F.hardswish(x),
    "hardtanh": lambda a, x: nn.Hardtanh(a.min_val, a.max_val)(x),
    "leaky_relu": lambda a, x: F.leaky_relu(x, a.negative_slope),
    "log_softmax": lambda a, x: torch.log_softmax(x, a.axis),
    "logsigmoid": lambda a, x: F.logsigmoid(x),
    "mish": lambda a, x: F.mish(x),
    "prelu": lambda a, x: a.layer(slopes(a, x))(x),
    "relu": lambda a, x: torch.relu(x),
    "relu6": lambda a, x: F.relu6(x),
    "selu": lambda a, x: torch.selu(x),
    "silu": lambda a, x: F.silu(x),
    "softmax": lambda a, x: torch.softmax(x, a.axis),
    "softmin": lambda a, x: F.softmin(x, dim=a.axis),
    "softplus": lambda a, x: F.softplus(x, a.beta, a.threshold),
    "softshrink": lambda a, x: F.softshrink(x, a.lambd),
    "softsign": lambda a, x: F.softsign(x),
    "tanhshrink": lambda a, x: F.tanhshrink(x),
    "threshold": lambda a, x: F.threshold(x, a.threshold, a.value),
}
