"""Parameters that a module's code finds in a list or dict of its own are parameters of the spec. The judges are the keys of the module and
the proof of the import."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import netc


class Held(nn.Module):
    """As ncps writes its cells: each parameter has a name and an entry in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.params: dict[str, Any] = {"nested": []}
        for name in ("gain", "leak"):
            self.register_parameter(name, nn.Parameter(torch.rand(4)))
            self.params[name] = getattr(self, name)
        self.register_buffer("mask", torch.rand(4))
        self.params["nested"].append(self.mask)

    def forward(self, x: Tensor) -> Tensor:
        # A function of a parameter alone is no constant either.
        return x * softplus(self.params["gain"]) + self.params["leak"] * self.params["nested"][0]


class Anchored(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4))
        self.kept = [self.weight, self.weight.detach().clone()]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.kept[0] + self.kept[1]


def test_reads_parameters_in_lists_and_dicts_by_their_keys() -> None:
    module = Held()
    held = dict(module.params)
    model = netc.from_torch(module, torch.randn(2, 4))
    assert set(model.parameters) == set(module.state_dict())
    assert [info.trainable for _, info in sorted(model.parameters.items())] == [True, True, False]
    assert all(module.params[name] is tensor for name, tensor in held.items())
    assert module.params["nested"][0] is module.mask
    assert not module._forward_pre_hooks


def test_trains_a_parameter_in_a_dict_as_the_module_does() -> None:
    module, x = Held(), torch.randn(2, 4)
    model = netc.from_torch(module, x)
    again = model.module()
    again.load_state_dict(module.state_dict())
    for one in (module, again):
        one(x).sum().backward()
    torch.testing.assert_close(again.get_parameter("gain").grad, module.gain.grad)
    torch.testing.assert_close(again.get_parameter("leak").grad, module.leak.grad)


def test_keeps_a_copy_of_a_parameter_a_constant() -> None:
    model = netc.from_torch(Anchored(), torch.randn(2, 4))
    assert list(model.parameters) == ["weight"]
