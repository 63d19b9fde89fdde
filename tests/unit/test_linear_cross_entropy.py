"""`linear_cross_entropy`: the judge is `F.linear` and `F.cross_entropy`, and for memory the sizes of all tensors that PyTorch makes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.planning.measure import profile_step

POSITIONS, WIDTH, CLASSES = 2800, 8, 1000


def make_inputs(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    drawn = lambda *shape: torch.randn(*shape, generator=generator, dtype=dtype)  # noqa: E731
    target = torch.randint(CLASSES, (2, POSITIONS // 2), generator=generator)
    target[0, ::5] = -100
    return {
        "x": drawn(2, POSITIONS // 2, WIDTH),
        "v": drawn(CLASSES, WIDTH),
        "t": target,
        "b": drawn(CLASSES),
        "w": torch.rand(CLASSES, generator=generator, dtype=dtype),
    }


def make_module(options: str = "", dtype: str = "") -> torch.nn.Module:
    head = f"x = input [T, 8] {dtype}; v = input [C, 8] {dtype} batch=false; t = input [T] int64; b = input [C] {dtype} batch=false"
    return netc.compile(f"{head}; w = input [C] {dtype} batch=false; (x, v, t, b, w) -> linear_cross_entropy {options}").module()


def plain(x: Tensor, v: Tensor, t: Tensor, b: Tensor, w: Tensor, **options: Any) -> Tensor:
    losses = F.cross_entropy(F.linear(x, v, b).flatten(0, 1), t.flatten(), w, **options)
    return losses.reshape(t.shape) if losses.dim() else losses


def gradients(loss: Tensor, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    upstream = torch.linspace(1, 2, loss.numel(), dtype=loss.dtype).reshape(loss.shape)
    return torch.autograd.grad((loss * upstream).sum(), [inputs[name] for name in "xvb"])


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    return {name: tensor.requires_grad_() if name in "xvb" else tensor for name, tensor in make_inputs().items()}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_linear_and_cross_entropy(reduction: str, smoothing: float, inputs: dict[str, Tensor]) -> None:
    """The loss, the gradients of the features, the weight and the bias, and the loss without gradients."""
    options = {"reduction": reduction, "label_smoothing": smoothing}
    module = make_module(" ".join(f"{key}={value}" for key, value in options.items()))
    exact = {key: x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x for key, x in inputs.items()}
    found, wanted = module(**inputs), plain(**exact, **options)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1e-6)
    for one, other in zip(gradients(found, inputs), gradients(wanted, exact), strict=True):
        assert torch.linalg.vector_norm(one - other) <= 1e-6 * torch.linalg.vector_norm(other)
    with torch.no_grad():
        torch.testing.assert_close(module(**inputs).double(), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_derivatives_of_gradients(reduction: str) -> None:
    """As a gradient penalty has them."""
    inputs = make_inputs(torch.float64)
    inputs = {name: tensor[..., :40] if name in "bw" else tensor[:40] if name == "v" else tensor for name, tensor in inputs.items()}
    inputs["t"] = inputs["t"].clamp(max=39)
    inputs = {name: tensor.requires_grad_() if name in "xvb" else tensor for name, tensor in inputs.items()}
    penalties = []
    for loss in (make_module(f"reduction={reduction}", "float64")(**inputs), plain(**inputs, reduction=reduction)):
        (slope,) = torch.autograd.grad(loss.square().sum(), inputs["x"], create_graph=True)
        penalties.append(torch.autograd.grad(slope.square().sum(), [inputs[name] for name in "xvb"]))
    torch.testing.assert_close(penalties[0], penalties[1])


def test_frozen_weight(inputs: dict[str, Tensor]) -> None:
    inputs["v"].requires_grad_(False)
    loss = make_module()(**inputs)
    wanted = torch.autograd.grad(plain(**inputs), (inputs["x"], inputs["b"]))
    torch.testing.assert_close(torch.autograd.grad(loss, (inputs["x"], inputs["b"])), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["float64", "float16", "bfloat16"])
def test_element_types(name: str) -> None:
    inputs = make_inputs(getattr(torch, name))
    bound = {"float64": 1e-12, "float16": 2e-3, "bfloat16": 2e-2}[name]
    exact = plain(**{key: tensor.double() if tensor.is_floating_point() else tensor for key, tensor in inputs.items()})
    found = make_module(dtype=name)(**inputs)
    assert found.dtype == getattr(torch, name)
    torch.testing.assert_close(found.double(), exact, rtol=bound, atol=0)


def test_autocast_gives_a_loss_of_float32(inputs: dict[str, Tensor]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = make_module()(**inputs), plain(**inputs)
    assert found.dtype == wanted.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients(found, inputs), gradients(wanted, inputs), rtol=0.05, atol=1e-3)


@pytest.mark.skipif(not hasattr(F, "linear_cross_entropy"), reason="PyTorch has it since 2.13")
def test_equals_the_function_of_pytorch(inputs: dict[str, Tensor]) -> None:
    wanted = F.linear_cross_entropy(
        inputs["x"].flatten(0, 1), inputs["v"], inputs["t"].flatten(), linear_bias=inputs["b"], weight=inputs["w"]
    )
    torch.testing.assert_close(make_module()(**inputs), wanted, rtol=1e-6, atol=1e-6)


def test_all_labels_ignored(inputs: dict[str, Tensor]) -> None:
    inputs["t"].fill_(-100)
    assert math.isnan(make_module()(**inputs))
    assert float(make_module("reduction=sum")(**inputs)) == 0


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that an operation makes."""

    size = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.size = max(self.size, *(leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)), 0)
        return result


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_never_holds_all_scores(reduction: str, inputs: dict[str, Tensor]) -> None:
    """Nothing is larger than the scores of 256 positions: not in the loss, and not in its gradient."""
    module = make_module(f"reduction={reduction}")
    with Largest() as largest:
        module(**inputs).sum().backward()
    assert largest.size <= CLASSES * 256 < POSITIONS * CLASSES / 10


LANGUAGE = """
tokens = input [128] int64
hidden = tokens -> embedding 5000 32 as words -> dense 32 gelu as layer
logits = hidden @ (words.weight -> transpose 0 1)
if training {{ out hidden }} else {{ out logits }}
train {{
  labels = input [128] int64
  loss = {loss}
  optimizer sgd lr=0.5
  batch 6 accumulate=2
  steps 5
}}
"""
FUSED = LANGUAGE.format(loss="(hidden, words.weight, labels) -> linear_cross_entropy")
PLAIN = LANGUAGE.format(loss="(hidden @ (words.weight -> transpose 0 1) -> transpose 1 2, labels) -> cross_entropy")


def peak_memory(text: str) -> float:
    """The bytes that `netc plan` finds for the activations of 64 samples."""
    training = analyze_training(SourceFile("spec.net", text), Choice()).training
    assert training is not None
    return max(snapshot.fixed + 64 * snapshot.per_sample for snapshot in profile_step(training).snapshots)


def test_memory_of_a_step() -> None:
    """All scores of 64 texts are 164 MB, and with their gradient and their probabilities several times that."""
    scores = 64 * 128 * 5000 * 4
    assert peak_memory(FUSED) < scores / 5
    assert peak_memory(PLAIN) > 2 * scores


def test_training_equals_the_plain_loss(tmp_path: Path) -> None:
    """In parts of unequal numbers of labels, with tied weights, which have both gradients."""
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 5000, (30, 128))
    labels = np.where(generator.random(tokens.shape) < 0.4, -100, np.roll(tokens, -1, 1))
    weights = []
    for name, text in (("fused", FUSED), ("plain", PLAIN)):
        (tmp_path / f"{name}.net").write_text(text)
        netc.train(tmp_path / f"{name}.net", data={"tokens": tokens, "labels": labels}, output=tmp_path / name)
        weights.append(load_file(tmp_path / name / "last.safetensors"))
    assert weights[0].keys() == weights[1].keys() == {"words.weight", "layer.weight", "layer.bias"}
    for key, array in weights[1].items():
        torch.testing.assert_close(weights[0][key], array, rtol=1e-5, atol=1e-5)


def test_the_model_gives_scores_in_evaluation_only() -> None:
    """The section does not compute them, and the model does."""
    training = analyze_training(SourceFile("spec.net", FUSED), Choice()).training
    assert training is not None
    assert [str(value.type) for value in training.model_call.graph.outputs] == ["[N, 128, 32]", "[5000, 32]"]
    assert netc.compile(FUSED).module().eval()(torch.zeros(2, 128, dtype=torch.int64)).shape == (2, 128, 5000)


@pytest.mark.parametrize(
    "text",
    [
        "h = x -> dense 4 as first",
        "shared first = dense 4 as second; h = x -> first",
        "shared first = dense 4 as second; h = x -> first; extra = first.weight; out h, extra",
        "h = x -> (dense 4 as first) as inner",
    ],
)
def test_sections_read_the_weights_of_the_model(text: str) -> None:
    """A penalty on a weight, by the label of its stage or by the name of a shared one."""
    path = "inner.first.weight" if "inner" in text else "first.weight"
    objective = netc.compile(f"x = input 3; {text}; train {{ loss = ({path} -> square -> sum) + (h -> mean) }}").training(seed=1)
    x = torch.randn(5, 3)
    loss, _ = objective({"x": x})
    weight, bias = objective.model.parameters()
    torch.testing.assert_close(loss, weight.square().sum() + F.linear(x, weight, bias).mean())
