"""The objective of a train section: what it computes, and that parts of a batch give what the whole gives. PyTorch is the judge."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

import netc
from netc.analysis import Choice, analyze_training
from netc.compiler.errors.run_errors import RunError
from netc.compiler.ir.training_program import Training
from netc.compiler.ir.verify import verify_program
from netc.compiler.objectives.means import decompose_objective
from netc.dsl.source import SourceFile
from netc.training.engine import Engine
from netc.training.objective import Objective
from netc.training.parallel import find_unused_parameters, parallelize_objective
from netc.training.ranks import Ranks
from netc.training.run_files import read_metrics

MODEL = "x = input 5\nscores = x -> dense 7 tanh -> dense 3\n"
GENERATOR = torch.Generator().manual_seed(0)


def section(text: str, name: str | None = None, **params: object) -> Training:
    found = analyze_training(SourceFile("<text>", text), Choice(None, params), None, name)
    assert found.training is not None, [d.message for d in found.diagnostics]
    verify_program(found.training.program)
    return found.training


def objective(text: str, name: str | None = None, **params: object) -> Objective:
    return Objective(section(text, name, **params), seed=1)


def batch(count: int = 12, ignored: int = 4) -> dict[str, Tensor]:
    """Hard numbers: a constant row, large ones, and labels of which some are ignored."""
    x = torch.randn(count, 5, generator=GENERATOR)
    x[0], x[1] = 3.0, x[1] * 1000
    label = torch.randint(0, 3, (count,), generator=GENERATOR)
    label[:ignored] = -100
    return {"x": x, "label": label, "weight": torch.rand(count, generator=GENERATOR)}


def parts(inputs: dict[str, Tensor], *sizes: int) -> list[dict[str, Tensor]]:
    split = {name: value.split(sizes) for name, value in inputs.items()}
    return [{name: pieces[i] for name, pieces in split.items()} for i in range(len(sizes))]


CASES: dict[str, Any] = {
    "loss = (scores, label) -> cross_entropy": lambda s, b: F.cross_entropy(s, b["label"]),
    "loss = (scores, label) -> cross_entropy reduction=sum": lambda s, b: F.cross_entropy(s, b["label"], reduction="sum"),
    "loss = 0.5 * ((scores, label) -> cross_entropy) - 2 * (scores -> square -> mean)": lambda s, b: (
        0.5 * F.cross_entropy(s, b["label"]) - 2 * s.square().mean()
    ),
    "loss = (scores -> square -> mean axis=1 -> mean) / 3 + 1": lambda s, b: s.square().mean(1).mean() / 3 + 1,
    "loss = (scores, label) -> cross_entropy label_smoothing=0.1": lambda s, b: F.cross_entropy(s, b["label"], label_smoothing=0.1),
    "loss = scores -> square -> sum": lambda s, b: s.square().sum(),
}


@pytest.mark.parametrize("line", CASES)
@pytest.mark.parametrize("sizes", [(12,), (4, 8), (1, 1, 3, 7)], ids=str)
def test_parts_give_the_loss_and_gradient_of_the_whole(line: str, sizes: tuple[int, ...]) -> None:
    text = f"{MODEL}train {{ {'label = input [] int64; ' if 'label' in line else ''}{line} }}"
    made = objective(text)
    inputs = {name: value for name, value in batch().items() if name in made.inputs}
    wanted = CASES[line](made.model(inputs["x"]), inputs)
    gradients = torch.autograd.grad(wanted, list(made.model.parameters()))
    pieces = parts(inputs, *sizes)
    counts = [torch.stack(several).sum() for several in zip(*(made.counts(p) for p in pieces), strict=True)]
    totals = [torch.stack(several).sum() for several in zip(*(made.totals(p) for p in pieces), strict=True)]
    loss = made.results(totals, counts)["loss"]
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=1e-6)
    for found, expected in zip(torch.autograd.grad(loss, list(made.model.parameters())), gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_metrics_are_functions_of_the_means_of_all() -> None:
    made = objective(
        f"{MODEL}train {{ label = input [] int64; loss = (scores, label) -> cross_entropy; metric perplexity = exp(loss); "
        "metric rms = scores -> square -> mean -> sqrt }"
    )
    inputs = {name: batch()[name] for name in ("x", "label")}
    scores = made.model(inputs["x"])
    loss, metrics = made(inputs)
    torch.testing.assert_close(loss, F.cross_entropy(scores, inputs["label"]))
    torch.testing.assert_close(metrics, {"perplexity": loss.exp(), "rms": scores.square().mean().sqrt()})
    pieces = parts(inputs, 5, 7)
    totals = [a + b for a, b in zip(made.totals(pieces[0]), made.totals(pieces[1]), strict=True)]
    counts = [a + b for a, b in zip(made.counts(pieces[0]), made.counts(pieces[1]), strict=True)]
    torch.testing.assert_close(made.results(totals, counts), {"loss": loss, **metrics}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("loss = scores -> square -> mean -> sqrt", "sqrt"),
        ("loss = (scores -> mean) * (scores -> mean)", "mul"),
        ("loss = scores -> max", "max"),
        ("loss = 1 / (scores -> square -> mean)", "div"),
        ("loss = (scores, scores -> argmax axis=1) -> cross_entropy ignore_index=2", "cross_entropy"),
    ],
)
def test_what_is_no_sum_of_means(line: str, why: str) -> None:
    training = section(f"{MODEL}train {{ {line} }}")
    assert f"`{why}`" in decompose_objective(training).why_not_additive
    inputs = {"x": batch()["x"]}
    made = Objective(training, seed=1)
    loss, _ = made(inputs)
    assert torch.isfinite(loss)


ONES = "ones = table (i, j) [N, 3] float32 = 1"
TERMS = {
    "in `matmul1`": (
        "u = scores -> normalize axis=1; similar = u @ transpose(u, 0, 1); same = table (i) [N] int64 = i; "
        "loss = (similar, same) -> cross_entropy",
        "loss = transpose(scores, 0, 1) @ scores -> square -> sum",
    ),
    "in `mean1`": ("loss = scores -> mean axis=0 -> square -> sum", "loss = scores - (scores -> mean axis=0) -> square -> mean"),
    "in `softmax1`": (
        "loss = scores -> softmax axis=0 -> square -> mean",
        "loss = transpose(scores, 0, 1) -> softmax axis=1 -> square -> mean",
    ),
    "in `cumsum1`": ("loss = scores -> cumsum axis=-2 -> mean",),
    "in `roll1`": ("loss = scores * (scores -> roll 1 axis=0) -> mean",),
    "`div1`": ("loss = scores / N -> sum", "loss = scores -> square -> div N -> sum axis=1 -> sum"),
    "`table1`": ("loss = scores * (table (i, j) [N, 3] float32 = i + j) -> mean",),
    "the number of elements of `table1`": tuple(
        f"ones = table (i, j) [{size}] float32 = 1; loss = (ones -> sum) + (scores -> sum)" for size in ("N + 1, 3", "N, N")
    ),
    "`sum1` depends": (
        f"{ONES}; loss = scores / (ones -> sum axis=0 keepdim=true) -> square -> sum",
        "loss = scores -> unsqueeze 1 -> expand [N, N, 3] -> sum axis=1 -> mean",
        "ones = scores * 0 + 1; loss = scores / (ones -> sum axis=0) -> mean",
    ),
    "`cumsum1` depends": (f"{ONES}; loss = scores * (ones -> cumsum axis=0) -> mean",),
    "`softmax1` depends": (f"{ONES}; loss = scores * (ones -> softmax axis=0) -> mean",),
    "`matmul1` depends": (f"{ONES}; loss = scores @ (transpose(ones, 0, 1) @ ones) -> sum",),
    "`norm1` depends": (f"{ONES}; loss = scores * (ones -> norm axis=0) -> sum",),
    "`tile1`": ("loss = scores -> tile [1, N] -> sum axis=1 -> mean", "loss = scores -> tile [1, N] -> mean"),
    "`repeat_interleave1`": ("loss = scores -> repeat_interleave N axis=1 -> sum axis=1 -> mean",),
    "the number of elements of `expand1`": ("loss = scores -> unsqueeze 1 -> expand [N, N, 3] -> mean",),
    "`tril1`": ("loss = scores -> tril -> sum", f"{ONES}; loss = scores * (ones -> tril) -> sum"),
    "`reshape1`": (
        "same = table (i, j) [N, 3] float32 = j; loss = scores * (same -> reshape [3, N] -> transpose 0 1) -> sum",
        f"{ONES}; zeros = ones - ones; loss = scores * ((ones, zeros) -> concat axis=0 -> reshape [N, 2, 3] -> mean axis=1) -> sum",
    ),
    "`loss` is made by `mul`": ("loss = (scores -> mean) * N",),
    "in `mean1`, ": ("loss = ((scores -> mean axis=0) * N) -> sum",),
    "in `sum1`": ("loss = scores / (scores -> square -> sum) -> sum",),
    "": (
        "loss = scores -> softmax axis=1 -> cumsum axis=-1 -> square -> mean",
        "loss = transpose(scores, 0, 1) -> softmax axis=0 -> square -> mean",
        "loss = (scores, scores * 2) -> concat axis=0 -> square -> mean",
        "loss = scores -> sum axis=1 -> square -> mean",
        "loss = scores * (table (i, j) [N, 3] float32 = j + 1) -> mean",
        "loss = 2 * (scores -> mean axis=0) - 1 -> reshape [3, 1] -> sum",
        "one = scores -> unsqueeze 2; loss = one @ transpose(one, 1, 2) -> square -> mean",
        f"{ONES}; loss = scores * (ones -> sum axis=1 keepdim=true) * (ones -> cumsum axis=1) -> mean",
        f"{ONES}; loss = (ones * 2 -> sum) + (ones -> mean) + (scores -> sum)",
        f"{ONES}; loss = ((scores, tanh(scores)) -> concat axis=0) * ((ones, ones - ones) -> concat axis=0) -> sum",
        "loss = scores -> unsqueeze 2 -> expand [N, 3, 4] -> flatten 0 1 -> square -> mean",
    ),
}


@pytest.mark.parametrize(("why", "line"), [(why, line) for why, lines in TERMS.items() for line in lines])
def test_samples_that_meet_before_the_mean(why: str, line: str) -> None:
    """They are found exactly where the parts of a batch do not add up to the whole."""
    made = objective(f"{MODEL}train {{ {line} }}")
    assert made.means.why_not_additive.startswith(why)
    assert bool(made.means.why_not_additive) == bool(why)
    inputs = {"x": torch.randn(12, 5, generator=GENERATOR)}
    totals, counts = ([sum(several) for several in zip(*map(of, parts(inputs, 5, 7)), strict=True)] for of in (made.totals, made.counts))
    whole, _ = made(inputs)
    assert torch.allclose(made.results(totals, counts)["loss"], whole, rtol=1e-5) == (not why)


STEPS = (
    "softmax axis=0", "softmax axis=1", "cumsum axis=0", "cumsum axis=1", "roll 1 axis=0", "roll 1 axis=1", "log_softmax", "sub_means",
    "normalize axis=0", "normalize axis=1", "twice", "products", "gram", "interleaved", "slope", "likelihood", "shares", "numbered",
)  # fmt: skip
"""Stages of tensors `[K, 3]`, where K is a multiple of N. The last ones are the blocks of `BLOCKS`."""
BLOCKS = """
block sub_means { in - (in -> mean axis=1 keepdim=true) }
block twice { (in, in -> tanh) -> concat axis=0 }
block products { one = in -> unsqueeze 2; one @ transpose(one, 1, 2) -> sum axis=2 }
block gram { in @ (transpose(in, 0, 1) @ in) }
block interleaved { (in -> unsqueeze 1, in -> unsqueeze 1 -> square) -> concat axis=1 -> flatten 0 1 }
block shares { in / in.shape[0] }
block numbered { in * (table (i, j) [in.shape[0], 3] float32 = i + j) }
block slope { y = in -> sin; gradient(y * in, in) }
block likelihood { label = in -> argmax axis=1; in * ((in, label) -> cross_entropy reduction=none -> unsqueeze 1) }
"""


@pytest.mark.parametrize("count", [20, pytest.param(400, marks=pytest.mark.long)])
def test_random_objectives_add_up_where_no_samples_meet(count: int) -> None:
    """The loss of a batch in parts equals the loss of the whole, unless a stage is named."""
    random, differing, named = Random("objectives"), 0, 0
    for _ in range(count):
        stages = " -> ".join(random.choices(STEPS, k=random.randint(1, 4)))
        made = objective(f"{BLOCKS}{MODEL}train {{ loss = scores -> {stages} -> square -> mean }}")
        inputs = {"x": torch.randn(9, 5, generator=GENERATOR)}
        totals, counts = (
            [sum(several) for several in zip(*map(of, parts(inputs, 4, 5)), strict=True)] for of in (made.totals, made.counts)
        )
        equal = torch.allclose(made.results(totals, counts)["loss"], made(inputs)[0], rtol=1e-4)
        assert equal or made.means.why_not_additive, stages
        named += bool(made.means.why_not_additive)
        differing += not equal
    # Most objectives that are refused differ. A `roll` of whole samples changes no mean, and a norm over the samples may be 1.
    assert count / 4 < differing <= named < differing * 1.5 < count


AVERAGED = {
    "worst": ("scores -> abs -> max", lambda s: s.abs().max()),
    "spread": ("(scores -> flatten 0) -> std", lambda s: s.std()),
    "explained": ("scores - (scores -> mean) -> square -> mean", lambda s: (s - s.mean()).square().mean()),
    "backwards": ("scores * (scores -> flip 0) -> mean", lambda s: (s * s.flip(0)).mean()),
    "counted": ("(scores -> mean) * N", lambda s: s.mean() * len(s)),
    "tiled": ("(scores -> tile [1, N]) -> sum", lambda s: s.tile(1, len(s)).sum()),
    "class_means": ("(scores -> mean axis=0) -> square -> sum", lambda s: s.mean(0).square().sum()),
}
EXACT = {
    "rms": ("scores -> square -> mean -> sqrt", lambda s: s.square().mean().sqrt()),
    "variance": ("(scores -> square -> mean) - (scores -> mean) ** 2", lambda s: s.square().mean() - s.mean() ** 2),
    "largest": ("scores -> max axis=1 -> mean", lambda s: s.amax(1).mean()),
    "class_mean": ("exp(scores -> mean axis=0 -> mean)", lambda s: s.mean().exp()),
    "ratio": ("(scores -> sum) / (scores -> square -> sum)", lambda s: s.sum() / s.square().sum()),
}


@pytest.mark.parametrize("name", [*AVERAGED, *EXACT])
def test_metrics_that_are_averaged_over_batches(name: str) -> None:
    """They are found exactly where the metric of all samples, by PyTorch, is not computed from the sums of two batches."""
    line, expected = {**AVERAGED, **EXACT}[name]
    made = objective(f"{MODEL}train {{ loss = scores -> square -> mean; metric {name} = {line} }}")
    assert set(made.means.averaged) == ({name} & set(AVERAGED))
    inputs = {"x": torch.randn(12, 5, generator=GENERATOR)}
    totals, counts = ([sum(several) for several in zip(*map(of, parts(inputs, 5, 7)), strict=True)] for of in (made.totals, made.counts))
    of_all = expected(made.model(inputs["x"]))
    torch.testing.assert_close(made(inputs)[1][name], of_all)
    assert torch.allclose(made.results(totals, counts)[name], of_all, rtol=1e-5) == (name in EXACT)


def test_keys_are_those_of_the_spec() -> None:
    text = f"{MODEL}train {{ loss = scores -> mean }}"
    assert list(objective(text).model.state_dict()) == list(netc.compile(text).module().state_dict())


def test_a_section_sees_tensors_that_are_no_results() -> None:
    made = objective("x = input 5\nh = x -> dense 4 relu\ny = h -> dense 2\ntrain { loss = (h -> mean) + (y -> mean) }")
    inputs = {"x": batch()["x"]}
    y, h = made.model(inputs["x"])
    torch.testing.assert_close(made(inputs)[0], h.mean() + y.mean())


def test_a_section_may_compute_what_the_model_is_given() -> None:
    made = objective(
        "image = input 1x4x4\nlevel = input []\nguess = image * (level -> unflatten 0 [N, 1, 1, 1]) -> conv 1 3x3 padding=1\n"
        "train { clean = input 1x4x4; noise = input 1x4x4; image = clean + 0.5 * noise; loss = (guess, noise) -> mse_loss }"
    )
    assert list(made.inputs) == ["level", "clean", "noise"]
    inputs = {n: torch.randn(3, 1, 4, 4, generator=GENERATOR) for n in ("clean", "noise")} | {"level": torch.rand(3, generator=GENERATOR)}
    wanted = F.mse_loss(made.model(inputs["clean"] + 0.5 * inputs["noise"], inputs["level"]), inputs["noise"])
    torch.testing.assert_close(made(inputs)[0], wanted)


def test_sections_of_a_model() -> None:
    text = (
        "model net(width=4) { x = input 5; y = x -> dense width -> dense 1 }\n"
        "train net(factor=2) { loss = factor * (y -> mean); optimizer sgd lr=0.1; epochs 3 }\n"
        "train wide for net width=16 { loss = y -> mean }\n"
        "train more = net factor=3 { epochs 9 }\n"
    )
    assert objective(text, "wide").model.state_dict()["dense1.weight"].shape == (16, 5)
    assert objective(text, "net", width=6).model.state_dict()["dense1.weight"].shape == (6, 5)
    inputs = {"x": batch()["x"]}
    one, three = objective(text, "net", factor=1), objective(text, "more")
    torch.testing.assert_close(3 * one(inputs)[0], three(inputs)[0])
    assert [(s.word, s.stages[0].name or s.stages[0].positional[0].value) for s in section(text, "more").settings] == [
        ("optimizer", "sgd"),
        ("epochs", 9),
    ]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_run_of_a_sum_is_that_of_pytorch(reduction: str, tmp_path: Path) -> None:
    """The first loss of a run, and the metric that is a sum, in parts and with a ragged batch."""
    x, target = np.random.default_rng(0).normal(size=(11, 5)).astype(np.float32), np.arange(11, dtype=np.float32)
    np.savez(tmp_path / "data.npz", x=x, target=target)
    text = (
        "x = input 5\ny = x -> dense 1 -> squeeze 1\ntrain { target = input []; "
        f"loss = (y, target) -> mse_loss reduction={reduction}; metric total = target -> sum; batch 11 accumulate=3; steps 1 }}"
    )
    (tmp_path / "s.net").write_text(text, encoding="utf-8")
    netc.train(tmp_path / "s.net", data=str(tmp_path / "data.npz"), output=tmp_path / "run", seed=1)
    first = netc.compile(text).module(seed=1)
    wanted = F.mse_loss(first(torch.from_numpy(x)), torch.from_numpy(target), reduction=reduction)
    (entry, *_) = read_metrics(str(tmp_path / "run"))
    assert entry["loss"] == pytest.approx(float(wanted), rel=1e-5)
    assert entry["total"] == 55


@pytest.mark.parametrize("number", [-100, 0, 3])
def test_labels_that_are_ignored_do_not_count(number: int) -> None:
    """In all shapes, also where there are none."""
    text = f"""x = input [T, 3]
y = x -> dense 5
train {{
  target = input [T] int64
  loss = (y -> transpose 1 2, target) -> cross_entropy ignore_index={number}
  metric size = x -> mean
}}
"""
    objective = netc.compile(text).training(seed=0)
    for shape in ((4, 6), (1, 1), (0, 6)):
        target = torch.randint(0, 5, shape)
        if target.numel():
            target[0] = number
        counts = objective.counts({"x": torch.randn(*shape, 3), "target": target})
        assert [float(count) for count in counts] == [(target != number).sum().item(), 3 * target.numel()]


@pytest.mark.parametrize("out", ["x, scores", "scores, scores, x, x", "x"])
def test_outputs_that_are_inputs_or_the_same_tensor(out: str) -> None:
    """A graph makes each tensor once, also if the model has it as input and output."""
    text = f"{MODEL}out {out}\ntrain {{ kind = input [] int64; loss = (scores, kind) -> cross_entropy; metric level = x -> mean }}"
    data = {"x": torch.randn(6, 5, generator=GENERATOR), "kind": torch.arange(6) % 3}
    made = objective(text)
    loss, metrics = made(data)
    outputs = made.model(data["x"])
    scores = outputs[out.split(", ").index("scores") if "scores" in out else -1]
    torch.testing.assert_close(loss, F.cross_entropy(scores, data["kind"]))
    torch.testing.assert_close(metrics["level"], data["x"].mean())


def test_parameters_that_the_loss_does_not_use() -> None:
    """They have no gradient in PyTorch; and the pass that finds them leaves the running statistics as they are."""
    text = """x = input 5
h = x -> batch_norm -> dense 4 as used
scores = h -> dense 3 as scores
other = h -> dense 2 as unused
still = x * (param [1] init=ones trainable=false as still)
out scores, other, still
train {
  label = input [] int64
  loss = (scores, label) -> cross_entropy
}
"""
    made = objective(text)
    made.model.train()
    names = {id(parameter): name for name, parameter in made.model.named_parameters()}
    before = {name: buffer.clone() for name, buffer in made.model.named_buffers()}
    inputs = {name: value for name, value in batch(ignored=0).items() if name != "weight"}
    assert {names[id(p)] for p in find_unused_parameters(made, inputs)} == {"unused.weight", "unused.bias"}
    assert all(torch.equal(buffer, before[name]) for name, buffer in made.model.named_buffers())
    assert len(before) >= 2
    assert all(parameter.grad is None for parameter in made.model.parameters())
    for parameter in made.model.parameters():
        parameter.requires_grad_(False)
    assert find_unused_parameters(made, inputs) == []


def test_a_parameter_without_an_axis_cannot_be_sharded() -> None:
    text = "x = input 5\nh = x * (param [] init=ones as factor)\nscores = h -> dense 3\n"
    made = objective(f"{text}train {{\n  label = input [] int64\n  loss = (scores, label) -> cross_entropy\n}}\n")
    with pytest.raises(RunError, match="FSDP cannot shard the parameter `factor`, which has no axis"):
        parallelize_objective(made, Engine(strategy="fsdp"), Ranks(world=2), dict)
