"""`detach`: the gradients equal the ones of PyTorch's `detach` where it is written."""

from __future__ import annotations

import torch

import netc


def test_straight_through_gradients() -> None:
    """Rounding has no gradient; this estimator has the gradient of its input. So has VQ-VAE's codebook."""
    model = netc.compile("x = input 3\nh = x -> dense 4 as a\nh + (round(h) - h -> detach) -> dense 2 as b")
    module = model.module(seed=1)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    module(x).square().sum().backward()
    found = {name: p.grad for name, p in module.named_parameters()}
    weights = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}
    h = x @ weights["a.weight"].T + weights["a.bias"]
    ((h + (h.round() - h).detach()) @ weights["b.weight"].T + weights["b.bias"]).square().sum().backward()
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight.grad)
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0


def test_a_branch_is_not_trained() -> None:
    module = netc.compile("x = input 3\nx -> dense 4 as teacher -> detach -> dense 2 as student").module(seed=1)
    module(torch.randn(5, 3)).sum().backward()
    assert module.get_parameter("teacher.weight").grad is None
    assert module.get_parameter("student.weight").grad is not None


def test_in_a_loss() -> None:
    """The gradient of a train section's objective, of a target that the model itself computes."""
    text = """
x = input 3
a = x -> dense 2 as a
b = x -> dense 2 as b
out a, b
train { loss = (a, b -> detach) -> mse_loss }
"""
    objective = netc.compile(text).training(seed=1)
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    loss, _ = objective({"x": x})
    loss.backward()
    gradients = {name.split(".")[-2]: p.grad for name, p in objective.named_parameters() if name.endswith("weight")}
    assert gradients.keys() == {"a", "b"}
    assert gradients["a"].any()
    assert gradients["b"] is None or not gradients["b"].any()
