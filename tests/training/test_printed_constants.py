"""The parameters of a section are constants of the printed file. To change a constant is to set the parameter."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.source import emit_training_file
from netc.training.source.flax_file import emit_flax_file
from tests.training.plain_recipes import RECIPES
from tests.training.test_objectives import SPECS

MODEL = """
block weigh(x: [N], weight) { weight * x }
model classifier(width=8) {
  image = input 4
  shared encoder = dense width tanh
  features = image -> encoder
  scores = features -> dense 3 as head
  out scores
}
"""
USES = {
    "factor": "loss = error + value * other",
    "factor in a mean": "loss = error + (value * features -> square -> mean)",
    "exponent": "loss = error + (abs(scores) ** value -> mean)",
    "argument": "loss = error + (features -> clamp (-value) (1 + value) -> mean)",
    "formula": "loss = error + (1 - value) * other + sqrt(2 * value) * other",
    "keyword": "loss = error + ((scores, label) -> cross_entropy label_smoothing=value)",
    "block": "loss = error + (scores -> sum axis=1 -> weigh value -> mean)",
    "input of the model": "noise = input 4; image = value * noise; loss = error + other",
    "reused stage": "loss = error + (value * image -> encoder -> square -> mean)",
    "after a reused stage": "near = value * (image -> encoder) + features; loss = error + (near -> tanh -> mean)",
    "table": "weights = table (i) [3] = value * i; loss = error + (weights * scores -> mean)",
    "gradient": "slope = gradient(value * scores -> square, image); loss = error + (slope -> norm axis=1 -> mean)",
    "metric": "loss = error; metric size = value * other",
    "let": "let double = 2 * value; loss = error + double * other",
}
LINES = "label = input [] int64; error = (scores, label) -> cross_entropy; other = features -> square -> mean"
BATCH = {
    "image": torch.arange(20.0).reshape(5, 4) / 7 - 1,
    "noise": torch.arange(20.0).reshape(5, 4).sin(),
    "label": torch.tensor([0, 2, 1, 1, 0]),
}


def write_text(use: str, default: str = "0.3") -> str:
    return f"{MODEL}train classifier(value={default}) {{ {LINES}; {USES[use]}; optimizer sgd }}"


def compute(source: str, state: dict[str, Any]) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """The results of a printed file for a batch, and the gradient of the loss."""
    space: dict[str, Any] = {"__name__": "section"}
    exec(compile(source, "section", "exec"), space)
    (made,) = re.findall(r"model = (\w+\(.*\))\.to\(DEVICE\)", source)
    model = eval(made, space)
    model.load_state_dict(state)
    results = space["compute_metrics"](space["compute_totals"](model, BATCH), space["compute_counts"](BATCH))
    return results, list(torch.autograd.grad(results["loss"], list(model.parameters())))


@pytest.mark.parametrize("default", ["0.3", "2"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.share(4)
def test_to_change_the_constant_is_to_set_the_parameter(use: str, default: str) -> None:
    if use == "keyword" and default == "2":
        default = "0.1"
    number = "3" if default == "2" else "0.7"
    model = netc.compile(write_text(use, default))
    objective = model.training(seed=2)
    source = objective.source()
    assert len(re.findall(r"\bVALUE\b", source)) >= 2
    changed = re.sub(r"^VALUE = .*$", f"VALUE = {number}", source, flags=re.MULTILINE)
    state = objective.model.state_dict()
    # The literal has no name, so no constant: the judge of both.
    literal = netc.compile(re.sub(r"\bvalue\b", number, write_text(use).replace("(value=0.3)", ""))).training().source()
    assert "VALUE" not in literal
    set_to = model.training(params={"value": float(number) if "." in number else int(number)}).source()
    found, gradients = compute(changed, state)
    for other in (literal, set_to):
        wanted, expected = compute(other, state)
        assert {name: value.item() for name, value in found.items()} == {name: value.item() for name, value in wanted.items()}
        assert all(torch.equal(a, b) for a, b in zip(gradients, expected, strict=True))


def test_names_of_the_file_are_not_hidden() -> None:
    names = ("f", "batch", "seed", "data", "device", "epochs", "np", "report_every")
    parameters, product = ", ".join(f"{name}=0.5" for name in names), " * ".join(names)
    section = f"train classifier({parameters}) {{ {LINES}; loss = error + {product} * other; batch 8 }}"
    objective = netc.compile(MODEL + section).training(seed=0)
    source = objective.source()
    assert all(line in source for line in ("\nF_VALUE = 0.5\n", "\nBATCH = 8\n", "\nBATCH_VALUE = 0.5\n"))
    results, _ = compute(source, objective.model.state_dict())
    features = torch.tanh(objective.model.encoder(BATCH["image"]))
    error = torch.nn.functional.cross_entropy(objective.model.head(features), BATCH["label"])
    wanted = error + 0.5 ** len(names) * features.square().mean()
    torch.testing.assert_close(results["loss"], wanted)


GAN = "model GAN { image = input 4; scores = image -> dense 4 }\ntrain GAN(gan=0.1) { loss = (scores * gan -> square) -> mean }"
BLOCK = """
block SE { dense 4 relu -> dense 4 }
block weigh { weights = table (i) [4] float32 = [3, 5, 1, 7][i]; in * weights -> dropout 0.0 }
model Weigh { image = input 4; scores = image -> SE -> SE }
train Weigh(se=0.1, weigh=2) { loss = (scores * se * weigh -> square) -> mean }
"""
WEIGHING = "block SE { in * (table (i) [4] float32 = [3, 5, 1, 7][i]) -> dropout 0.0 }\n"
SECTION_BLOCK = WEIGHING + GAN.replace("scores * gan", "scores * gan -> SE")
ENCODED = "model m { image = input 4; shared encoder = dense 4 tanh; scores = image -> encoder }\ntrain m(n=2) { "
WITHOUT_ARGUMENT = {
    "size of an input": "other = input [n, 4]; loss = (other -> encoder) -> mean }",
    "size of an axis": "other = input 4; loss = (other -> unsqueeze 1 -> expand [N, n, 4] -> encoder) -> mean }",
}


def write_file(text: str, framework: str) -> str:
    training = analyze_training(SourceFile("<text>", text), Choice()).training
    assert training is not None
    if framework == "torch":
        return emit_training_file(training)
    for package in ("flax.nnx", "optax"):
        pytest.importorskip(package, reason="pip install 'netc[flax]'")
    return emit_flax_file(training)


def run_file(source: str, batch: dict[str, torch.Tensor], framework: str) -> tuple[float, Any]:
    """The loss of a printed file for a batch, and its model."""
    space: dict[str, Any] = {"__name__": "section"}
    exec(compile(source, "section", "exec"), space)
    (made,) = re.findall(r"^    model = ([A-Z]\w*\(.*?\))(?:\.to\(DEVICE\))?$", source, flags=re.MULTILINE)
    model = eval(made, space)
    given: Any = batch if framework == "torch" else {name: value.numpy() for name, value in batch.items()}
    return space["compute_metrics"](space["compute_totals"](model, given), space["compute_counts"](given))["loss"].item(), model


FRAMEWORKS = ["torch", pytest.param("flax", marks=pytest.mark.long)]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("text", "factor"), [(GAN, 0.1), (GAN.replace("GAN", "t").replace("gan", "t"), 0.1), (BLOCK, 0.2)])
def test_names_of_classes_are_not_hidden(text: str, factor: float, framework: str) -> None:
    loss, model = run_file(write_file(text, framework), BATCH, framework)
    scores = model(BATCH["image"] if framework == "torch" else BATCH["image"].numpy())
    assert loss == pytest.approx(((scores * factor) ** 2).mean().item(), rel=1e-5)


def test_classes_of_the_section_have_their_own_names() -> None:
    loss, model = run_file(write_file(SECTION_BLOCK.replace("gan", "se"), "torch"), BATCH, "torch")
    weighed = 0.1 * model(BATCH["image"]) * torch.tensor([3.0, 5.0, 1.0, 7.0])
    assert loss == pytest.approx(weighed.square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("case", WITHOUT_ARGUMENT)
def test_a_class_gets_only_its_arguments(case: str, framework: str) -> None:
    other = BATCH["image"] if case == "size of an axis" else torch.stack([BATCH["image"], BATCH["noise"]], 1)
    loss, model = run_file(write_file(ENCODED + WITHOUT_ARGUMENT[case], framework), BATCH | {"other": other}, framework)
    encoded = model.encoder(other) if framework == "torch" else torch.tensor(np.asarray(model.encoder(other.numpy())))
    assert loss == pytest.approx(encoded.tanh().mean().item(), rel=1e-4)


def test_a_parameter_that_decides_is_a_number() -> None:
    """A constant would not change the branch, so the file has none."""
    lines = "loss = if value > 0.2 { error + value * other } else { error }"
    source = netc.compile(f"{MODEL}train classifier(value=0.3) {{ {LINES}; {lines} }}").training().source()
    assert "VALUE" not in source
    assert "0.3 * " in source


def list_used_parameters(name: str) -> dict[str, str]:
    """The parameters of a recipe's section that its formulas use, with their defaults."""
    head, _, body = (SPECS / f"{name}.net").read_text(encoding="utf-8").split("\ntrain ")[-1].partition("{")
    formulas = "\n".join(line for line in body.splitlines() if " = " in line)
    return {name: default for name, default in re.findall(r"(\w+)=([\d.]+)", head) if re.search(rf"\b{name}\b", formulas)}


@pytest.mark.parametrize("name", [name for name in sorted(RECIPES) if list_used_parameters(name)])
@pytest.mark.sample(3)
def test_recipes_have_constants(name: str) -> None:
    section = RECIPES[name].section
    source = netc.compile_file(SPECS / f"{name}.net", model=section).training(section).source()
    for parameter, default in list_used_parameters(name).items():
        assert f"\n{parameter.upper()} = {default}\n" in source
