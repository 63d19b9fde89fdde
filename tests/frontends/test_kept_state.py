"""An import leaves a module as it was, also what its code keeps in attributes: an untouched copy of the module is the judge."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.torch.kept_state import keep_state


class Cached(nn.Module):
    def __init__(self, cache: Any) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(4))
        self.cache = cache

    def forward(self, x: Tensor) -> Tensor:
        if "bias" not in self.cache:
            self.cache["bias"] = self.bias * 2
        return x + self.cache["bias"]


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.normed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.normed is None:
            self.normed = self.fc.weight / self.fc.weight.norm()
        return x @ self.normed


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("steps", torch.zeros(4), persistent=False)
        self.calls: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.calls.append(1)
        return self.fc(x) + self.steps * 0


class Nested(nn.Module):
    """The module that caches is inside, in a list that is no `ModuleList`."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.inner = Cached(OrderedDict())
        self.state: dict[str, list[dict[str, Tensor]]] = {"layers": [{}]}

    def forward(self, x: Tensor) -> Tensor:
        known = self.state["layers"][0]
        if "scale" not in known:
            known["scale"] = self.fc.weight.abs().amax()
        return self.inner(self.fc(x)) * known["scale"]


class Store:
    """A plain object."""

    def __init__(self) -> None:
        self.weight: Tensor | None = None
        self.calls = torch.zeros(1)


class Storing(nn.Module):
    known: ClassVar[dict[int, Tensor]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.store = Store()

    def forward(self, x: Tensor) -> Tensor:
        if self.store.weight is None:
            self.store.weight = self.fc.weight.t() * 2
        if x.shape[1] not in self.known:
            self.known[4] = torch.arange(4.0)
        self.store.calls.add_(1)
        return x @ self.store.weight + self.known[4]


MODULES: dict[str, Callable[[], nn.Module]] = {
    "dict": lambda: Cached({}),
    "ordered": lambda: Cached(OrderedDict()),
    "lazy": Lazy,
    "counting": Counting,
    "nested": Nested,
    "objects": Storing,
}


@pytest.mark.parametrize(
    ("name", "train"), [*((name, False) for name in MODULES), *((name, True) for name in MODULES if name not in ("counting", "objects"))]
)
def test_a_module_computes_the_same_after_its_import(name: str, train: bool) -> None:
    torch.manual_seed(0)
    module = MODULES[name]().eval()
    untouched, x = copy.deepcopy(module), torch.randn(3, 4)
    model = netc.from_torch(module, x, train=train)
    assert [*vars(module)] == [*vars(untouched)]
    wanted = untouched(x)
    assert torch.equal(module(x), wanted)
    assert getattr(module, "calls", [1]) == [1]
    assert not hasattr(module, "store") or module.store.calls.tolist() == [1]
    torch.testing.assert_close(model.module(weights=module.state_dict()).eval()(x), wanted)


def test_containers_stay_the_same_objects() -> None:
    module = nn.Linear(1, 1)
    module.known = known = {"a": [1], "b": {2}}  # type: ignore[assignment]
    inner = known["a"]
    with keep_state(module):
        known["a"].append(3)  # type: ignore[attr-defined]
        known["a"], known["c"] = [], {4}
        del known["b"]
    assert module.known is known
    assert known["a"] is inner
    assert known == {"a": [1], "b": {2}}


def test_tensors_that_the_state_dict_does_not_have_keep_their_numbers() -> None:
    module = nn.BatchNorm1d(2)
    module.plain = plain = torch.ones(3)
    with keep_state(module), torch.no_grad():
        plain.mul_(2)
        module.weight.mul_(2)
        module.plain = torch.zeros(3)
    assert module.plain is plain
    assert plain.tolist() == [1, 1, 1]
    assert module.weight.tolist() == [2, 2]  # the caller's own


GLOBAL: dict[str, Tensor] = {}


class Global(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if "places" not in GLOBAL:
            GLOBAL["places"] = torch.arange(4.0)
        return x + GLOBAL["places"]


def test_a_global_cache_is_refused_unless_it_is_full() -> None:
    """torch.export leaves a tensor without numbers in it."""
    with pytest.raises(ImportFailed, match="which has no numbers, outside of its attributes"):
        netc.from_torch(Global(), torch.randn(2, 4))
    GLOBAL.clear()
    Global()(torch.randn(2, 4))
    assert netc.from_torch(Global(), torch.randn(2, 4)).module()(torch.zeros(1, 4)).tolist() == [[0, 1, 2, 3]]
