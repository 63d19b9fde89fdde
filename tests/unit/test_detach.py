"""`detach`: the gradients equal the ones of PyTorch's `detach` where it is written."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import netc
from netc.model import Model

PLACES = {
    "block": "block half(d) { in + (in -> tanh -> detach) -> dense d as inner }\nx = input 3\nx -> dense 4 as a -> half 4 as b",
    "repeat": "x = input 3\nx -> dense 4 as a -> repeat 2 as b { in + (in -> tanh -> detach) -> dense 4 as inner }",
    "shared": "x = input 3\nshared s = (dense 4 as inner -> detach -> tanh) as b\nh = x -> dense 4 as a\n(h -> s) * h",
}


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


def by_hand(place: str, a: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """The rest of the network of `place`, after its first stage."""
    dense = lambda x, name: x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]  # noqa: E731
    match place:
        case "block":
            return dense(a + a.tanh().detach(), "b.inner")
        case "repeat":
            for index in range(2):
                a = dense(a + a.tanh().detach(), f"b.{index}.inner")
            return a
    return dense(a, "b.inner").detach().tanh() * a


@pytest.mark.parametrize("place", ["block", "repeat", "shared"])
def test_inside(place: str) -> None:
    module = netc.compile(PLACES[place]).module(seed=1)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    weights = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}
    wanted = by_hand(place, x @ weights["a.weight"].T + weights["a.bias"], weights)
    result = module(x)
    torch.testing.assert_close(result, wanted)
    result.square().sum().backward()
    wanted.square().sum().backward()
    assert weights["a.weight"].grad is not None
    for name, p in module.named_parameters():
        torch.testing.assert_close(p.grad, weights[name].grad)


def test_onnx_has_no_node_for_it() -> None:
    texts = ("x = input 3; x + (tanh(x) -> detach)", "x = input 3; x + tanh(x)")
    detached, plain = ([node.op_type for node in netc.compile(text).onnx().graph.node] for text in texts)
    assert detached == plain


def test_a_written_text_keeps_it() -> None:
    """What `netc import` simplifies on the way must not touch it: it has the numbers of `identity`, which is removed."""
    text = "x = input 3\nh = x -> dense 4 as a\nh * (h -> sigmoid -> detach)"
    module = netc.compile(text).module(seed=1)
    model: Model = netc.from_torch(module, torch.randn(2, 3))
    again = model.module()
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for one in (module, again):
        one(x).square().sum().backward()
    torch.testing.assert_close([p.grad for p in again.parameters()], [p.grad for p in module.parameters()])
