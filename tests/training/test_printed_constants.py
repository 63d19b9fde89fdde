"""The parameters of a section are constants of the printed file. To change a constant is to set the parameter."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import netc
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
