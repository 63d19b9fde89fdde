"""A value of a train section and a name for it give the same source, loss, gradient and run; the loss is the one that PyTorch computes."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

import netc
from tests.fuzz import train
from tests.fuzz.train_texts import EXPRESSIONS, SETTINGS, USES, batch, bindings, literal, section

NAMES = list(USES)


def one_binding(name: str) -> str:
    """Another way to bind a name for each use, so that all of them occur."""
    found = list(bindings(USES[name]))
    return found[-1 - NAMES.index(name) % len(found)]


@pytest.mark.share(4)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_number_that_it_is_bound_to(name: str) -> None:
    use, fed = USES[name], batch()
    binding = bindings(use)[one_binding(name)]
    made, plain = (train.objective(section((use, one))) for one in (binding, literal(use, binding.own)))
    train.check_same(made, plain, fed)
    train.check_loss(made, [(use, binding)], fed)
    train.check_parts(made, fed, 5)


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_however_it_is_bound(name: str) -> None:
    use, fed = USES[name], batch()
    plain = {own: train.objective(section((use, literal(use, own)))) for own in (False, True)}
    for binding in bindings(use).values():
        train.check_same(train.objective(section((use, binding))), plain[binding.own], fed)


@pytest.mark.parametrize(
    "name", [n if n in ("factor", "penalty", "table") else pytest.param(n, marks=pytest.mark.long) for n in EXPRESSIONS]
)
def test_a_section_computes_what_a_model_with_the_same_lines_does(name: str) -> None:
    train.check_output((USES[name], literal(USES[name])), batch())


@pytest.mark.parametrize("name", ["factor", "rate", *(pytest.param(n, marks=pytest.mark.long) for n in SETTINGS)])
def test_a_run_has_the_same_bits(name: str, tmp_path: Path) -> None:
    use = USES[name]
    made, plain = (section((use, one)) for one in (bindings(use)["parameter of the section, set"], literal(use)))
    assert train.run_of(made, tmp_path / "named") == train.run_of(plain, tmp_path / "plain")


IN_THE_MODEL = """
block drop(p) { dropout p }
model m(rate=0.5) {
  x = input 4
  y = x -> dense 4 -> (dropout rate -> relu) as g -> drop rate -> drop (rate / 2) -> dropout rate
}
train {
  target = input 4
  loss = (y, target) -> mse_loss
}
"""


@pytest.mark.parametrize("rate", [0.5, 0.25])
def test_a_float_of_the_model_is_what_it_is_in_the_model(rate: float) -> None:
    """A float has a symbol as an integer has one, and the call of the model in the objective has to give it."""
    objective = netc.compile(IN_THE_MODEL, params={"rate": rate}).training()
    space: dict[str, Any] = {"__name__": "train"}
    exec(objective.source(), space)
    for model in (objective.model, space["M"]()):
        assert [one.p for one in model.modules() if isinstance(one, torch.nn.Dropout)] == [rate, rate, rate / 2, rate]


@pytest.mark.long
def test_random_sections(tmp_path: Path) -> None:
    found = [train.check(Random(f"0 {n}"), str(tmp_path / "s")) for n in range(12)]
    assert [one for one in found if one.what] == []
