"""The training file's template: which lines a section has, and what each step draws."""

from __future__ import annotations

import copy
import pickle
import re
from importlib.resources import files

import pytest
import torch

import netc
from netc.analysis import Choice, analyze_training
from netc.compiler.backends.flax.flax_framework import DEFINITIONS as FLAX_DEFINITIONS
from netc.compiler.backends.torch.torch_framework import DEFINITIONS as TORCH_DEFINITIONS
from netc.compiler.ir.training_program import Training
from netc.compiler.objectives.means import decompose_objective
from netc.dsl.source import SourceFile
from netc.training.recipe import read_recipe
from netc.training.section_file import SectionFile
from netc.training.source import TrainSection, emit_run_file, flax_template, template_folding, torch_template
from netc.training.source.clauses import CONSTANTS, Machine
from netc.training.source.file_assembly import RESERVED_NAMES, read_template_blocks
from netc.training.source.section_functions import emit_functions

SPEC = """
x = input 3
y = x -> dense 2
train { t = input [2]; loss = (y, t) -> mse_loss; ema 0.9; batch 8 accumulate=2 }
"""


def section() -> TrainSection:
    found = analyze_training(SourceFile("<text>", SPEC), Choice())
    training = found.training
    assert isinstance(training, Training)
    means = decompose_objective(training)
    return TrainSection(training, read_recipe(training)[0], means, emit_functions(training, means), is_random=True)


TEXT = """
def step(
    model,
    schedule,  # if: schedule
    batch,  # if: not run
):
    for part in parts:  # if: not stages  # if: parts else batch
        total += loss(part)  # if: sum
        found.append(part)
    if schedule:  # if: schedule and not run or never
        schedule.step()
    return found
""".strip("\n")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"parts", "run"}, "def step(model):\n    for part in parts:\n        found.append(part)\n    return found"),
        ({"sum"}, "def step(model, batch):\n    total += loss(batch)\n    found.append(batch)\n    return found"),
        ({"parts", "stages"}, "def step(model, batch):\n    return found"),
        (
            {"schedule"},
            "def step(model, schedule, batch):\n    found.append(batch)\n    if schedule:\n        schedule.step()\n    return found",
        ),
    ],
    ids=["parts", "sum", "stages", "schedule"],
)
def test_lines_with_tags(tags: set[str], expected: str) -> None:
    assert template_folding.fold_template(TEXT, frozenset(tags)) == expected


def test_functions_that_nothing_uses_are_left_out() -> None:
    """What a docstring names, or an attribute, is no use."""
    blocks = [
        'def main():\n    """Splits and trains."""\n    x.split(train_step)',
        "def split():\n    pass",
        "def train_step():\n    pass",
        "main()",
    ]
    assert template_folding.select_reachable(blocks, {""}) == [blocks[0], blocks[2], blocks[3]]


@pytest.mark.parametrize("template", [*torch_template.TEMPLATES, *flax_template.TEMPLATES])
def test_every_tag_is_known(template: str) -> None:
    """A tag that no section has would hide its lines for ever."""
    text = files("netc.training.source").joinpath(template).read_text(encoding="utf-8")
    used = {
        word
        for condition in re.findall(r"  # if: ([^#\n]+?)(?: else \w+)?(?=  # if: |$)", text, re.MULTILINE)
        for word in re.findall(r"\w+", condition)
    }
    tags = set(re.findall(r'"(\w+)": ', files("netc.training.source").joinpath("clauses.py").read_text(encoding="utf-8")))
    assert used - {"and", "or", "not"} <= tags | {constant.name.lower() for constant in CONSTANTS} | {"modes", "divided"}


@pytest.mark.parametrize(
    ("templates", "definitions"),
    [(torch_template.TEMPLATES, TORCH_DEFINITIONS), (flax_template.TEMPLATES, FLAX_DEFINITIONS)],
    ids=["torch", "flax"],
)
def test_no_name_is_defined_twice(templates: tuple[str, ...], definitions: dict[str, str]) -> None:
    """A file has functions of a template and definitions of a backend, and no class of a model has the name of a template's class."""
    texts = [*(block for template in templates for block in read_template_blocks(template)), *definitions.values()]
    names = [
        name
        for text in texts
        for found in re.findall(r"^(?:def|class) (\w+)|^(\w+)(?:: .*)? = ", text, re.MULTILINE)
        for name in found
        if name
    ]
    assert sorted(names) == sorted(set(names))
    classes = {
        name
        for template in templates
        for block in read_template_blocks(template)
        for name in re.findall(r"^class (\w+)", block, re.MULTILINE)
    }
    assert classes <= RESERVED_NAMES


def test_replicas_draw_different_numbers_and_the_first_one_those_of_one_process() -> None:
    def drawn(machine: Machine, step: int) -> float:
        SectionFile(emit_run_file(section(), machine)).seed_step(step)
        return torch.rand(()).item()

    alone = [drawn(Machine(), step) for step in (0, 1, 0)]
    assert alone[0] == alone[2] != alone[1]
    assert drawn(Machine(replicas=2), 0) == alone[0]
    assert len({drawn(Machine(replicas=2, replica=i), step) for i in (0, 1) for step in (0, 1)}) == 4


def test_a_copy_of_an_objective_computes_the_same() -> None:
    """Also its constants, which the text defines anew."""
    spec = SPEC.replace("loss = (y, t)", "w = table (i) [2] float32 = i + 1; loss = (y * w, t)")
    objective = netc.compile(spec).training(seed=0)
    assert {name.partition(".")[0] for name in objective.state_dict()} == {"model"}
    inputs = {"x": torch.ones(4, 3), "t": torch.zeros(4, 2)}
    loss, _ = objective(inputs)
    for other in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert torch.equal(other(inputs)[0], loss)
