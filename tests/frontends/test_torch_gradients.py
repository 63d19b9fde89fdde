"""Importing modules that detach tensors: the judge of all gradients is the module itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends import written
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import netc


class Of(written.Of):
    """The same with one input, which has a name."""

    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        return super().forward(x)


class Quantizer(nn.Module):
    """A codebook, searched without gradients, and then a straight-through estimator."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 4)
        self.codebook = nn.Embedding(8, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x)
        with torch.no_grad():
            distances = torch.cdist(h, self.codebook.weight)
            scale = h.square().mean() + 1
        code = self.codebook(distances.argmin(-1))
        loss = (h - code.detach()).square().mean() + (h.detach() - code).square().mean() * scale
        return h + (code - h).detach(), loss


class Siamese(nn.Module):
    """One encoder, called with gradients and without."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 6))
        self.predictor = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.encoder(x.flip(1))
        return self.predictor(self.encoder(x)) - target


class Frozen(nn.Module):
    """A module without gradients, which changes its own tensor in place, and one that reads its result."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Of(lambda self, x: self.a(x).add_(1), a=nn.Linear(6, 6))
        self.inner.forward = torch.no_grad()(self.inner.forward)  # type: ignore[method-assign]
        self.head = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.inner(x)) * x


MODULES = {
    "estimator": Of(lambda self, x: x + (self.a(x).round() - x).detach(), a=nn.Linear(6, 6)),
    "quantizer": Quantizer(),
    "siamese": Siamese(),
    "frozen": Frozen(),
    "weight": Of(lambda self, x: F.linear(x, self.a.weight.detach(), self.a.bias), a=nn.Linear(6, 6)),
    "loop": Of(lambda self, x: written_loop(self.a, x), a=nn.GRUCell(6, 6)),
    "nested": Of(lambda self, x: nested(self.a, self.b, x), a=nn.Linear(6, 6), b=nn.Linear(6, 6)),
}


def written_loop(cell: nn.Module, x: Tensor) -> Tensor:
    h = x
    for _ in range(3):
        h = cell(x, h.detach())
    return h


def nested(a: nn.Module, b: nn.Module, x: Tensor) -> Tensor:
    """A region with gradients inside of one without, whose result leaves both."""
    with torch.no_grad():
        h = a(x)
        with torch.enable_grad():
            g = b(h)
        h = h * 2
    return g + h


@pytest.mark.share(4)
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_gradients(name: str, train: bool) -> None:
    """`detach`, regions without gradients, and one weight alone: gradients of all parameters and of the input."""
    module = MODULES[name]
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    model = netc.from_torch(module, x, train=train)
    assert "-> detach" in model.spec()
    found, wanted = (compute_gradients(one.train(train), x) for one in (model.module(), module))
    assert found.keys() == wanted.keys()
    for key, gradient in wanted.items():
        assert (found[key] is None) == (gradient is None), key
        torch.testing.assert_close(found[key], gradient, msg=key)


def compute_gradients(module: nn.Module, x: Tensor) -> dict[str, Tensor | None]:
    module.zero_grad()
    x = x.clone().requires_grad_()
    results = module(x)
    sum(result.square().sum() for result in (results if isinstance(results, tuple) else (results,))).backward()
    return {"x": x.grad, **{key: parameter.grad for key, parameter in module.named_parameters()}}


HARMLESS = {
    "positions": Of(lambda self, x: self.a(x) + positions(x), a=nn.Linear(6, 6)),
    "a number": Of(lambda self, x: self.a(x) * torch.full((), 2.0).detach(), a=nn.Linear(6, 6)),
    "a rounded tensor": Of(lambda self, x: self.a(x) + x.round().detach(), a=nn.Linear(6, 6)),
    "an index": Of(lambda self, x: self.a(x).detach().argmax(-1), a=nn.Linear(6, 6)),
    "a buffer": Of(lambda self, x: self.a(x) * self.n.running_mean.detach(), a=nn.Linear(6, 6), n=nn.BatchNorm1d(6)),
}


@torch.no_grad()
def positions(x: Tensor) -> Tensor:
    return torch.arange(x.shape[-1], device=x.device).float() / 10


@pytest.mark.parametrize("name", HARMLESS)
def test_what_changes_no_gradient_is_not_written(name: str) -> None:
    spec = netc.from_torch(HARMLESS[name], torch.randn(3, 6)).spec()
    assert "detach" not in spec


class Reverse(torch.autograd.Function):
    """Reverses gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


def hooked(x: Tensor) -> Tensor:
    if x.requires_grad:
        x.register_hook(lambda gradient: 2 * gradient)  # type: ignore[no-untyped-call]
    return x


OWN = {
    "`Reverse` has a gradient of its own": Of(lambda self, x: Reverse.apply(self.a(x)), a=nn.Linear(6, 6)),  # type: ignore[no-untyped-call]
    "The module registers hooks of tensors": Of(lambda self, x: hooked(self.a(x)), a=nn.Linear(6, 6)),
}


@pytest.mark.parametrize("note", OWN)
def test_a_gradient_of_the_modules_own_code_is_noted(note: str) -> None:
    for train in (False, True):
        spec = netc.from_torch(OWN[note], torch.randn(3, 6), train=train).spec()
        assert spec.count(note) == 1


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_changes_no_gradient(reentrant: bool) -> None:
    module = Of(lambda self, x: checkpoint(self.a, x.sin(), use_reentrant=reentrant), a=nn.Linear(6, 6))
    x = torch.randn(3, 6)
    model = netc.from_torch(module, x)
    assert "detach" not in model.spec()
    torch.testing.assert_close(compute_gradients(model.module(), x), compute_gradients(module, x))


SPECIAL = torch.tensor([0.0, -0.0, 1, -1, 0.5, 3])
OTHER = torch.tensor([2.0, 1, 3, 0.5, 0.25, 1])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.sinc(x),
        lambda x: torch.xlogy(x, OTHER),
        lambda x: torch.special.xlogy(OTHER - 2, x.abs() + 1),
        lambda x: torch.xlogy(x, 3.0),
        lambda x: OTHER.index_fill(0, torch.tensor([1, 1, 4]), x.sum()),
        lambda x: torch.ops.aten._safe_softmax(torch.stack([x, x - torch.inf]), 1),
    ],
    ids=["sinc", "x log y", "x log y of zero", "x log number", "an index twice", "safe softmax"],
)
def test_gradients_at_special_places(function: Any) -> None:
    """PyTorch's definitions of these operators choose between numbers, of which one has no gradient."""

    def differentiate(module: nn.Module) -> tuple[Tensor, Tensor]:
        x = SPECIAL.clone().requires_grad_()
        result = module(x)
        (result * torch.arange(1.0, result.numel() + 1).reshape(result.shape)).sum().backward()
        assert x.grad is not None
        return result.detach(), x.grad

    original = Of(lambda self, x: function(x))
    model = netc.from_torch(original, SPECIAL, {0: {}}, verify=False)
    torch.testing.assert_close(differentiate(model.module().eval()), differentiate(original))
