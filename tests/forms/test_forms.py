"""Equal texts give the same artifacts: each relation on random specs, all artifacts compared. `make fuzz-specs` runs many more."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

import netc
from tests.forms.artifacts import chosen, module
from tests.forms.programs import program
from tests.forms.run import RELATIONS, Different, Relation, check_form
from tests.forms.text import Form, ParsedText, Same
from tests.fuzz import spec_texts

EACH = 2
ARTIFACTS = 2
"""Artifacts that are compared in addition to the types, the graph and the training. `make fuzz-specs` draws them for many more specs."""
PROGRAMS = 60


@cache
def _specs() -> list[tuple[str, netc.Model]]:
    """Random specs that compile."""
    made = [spec_texts.compiled(program(Random(f"forms {number}"))) for number in range(PROGRAMS)]
    return [(spec.text, spec.model) for spec in made if spec is not None and spec_texts.is_small(spec.model)]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda one: one.__name__)
@pytest.mark.filterwarnings("ignore")  # PyTorch warns of uses that nobody would write
@pytest.mark.sample(8)
def test_a_text_in_another_form_is_the_same(relation: Relation) -> None:
    done = 0
    for number, (text, model) in enumerate(_specs()):
        random = Random(number)
        form = relation(ParsedText(text), random)
        if form is not None and check_form(text, model, form, random, list(chosen(random, ARTIFACTS))) == "same":
            done += 1
        if done == EACH:
            break
    assert done >= 2, "the relation applies to too few specs"


MODEL = "x = input 3\ny = x -> dense 1\n"
OTHERS = {
    "another number": ("input 3 -> dense 4 -> dense 2", "dense 4", "dense 5", Same.ORDER, "types"),
    "another arithmetic": ("x = input 3\nx * 2 -> dense 4", "* 2", "* 3", Same.KEYS, "graph"),
    "another initial value": ("input 3 -> dense 4 init=normal(0.1)", "normal(0.1)", "normal(0.2)", Same.ORDER, "source"),
    "another label": ("input 3 -> dense 4 as a", "as a", "as b", Same.KEYS, "types"),
    "another stage": ("input 3 -> dense 4 -> relu", "relu", "tanh", Same.FILE, "graph"),
    "another table": ("x = input 3\nx + (table (i) [3] float32 = i * 2)", "i * 2", "i * 3", Same.FILE, "module"),
    "another loss": (MODEL + "train { loss = y * 2 -> mean }", "* 2", "* 3", Same.FILE, "training"),
    "another setting": (
        "x = input 3\ny = x -> dense 1\ntrain { loss = y -> mean; epochs 2 }",
        "epochs 2",
        "epochs 3",
        Same.FILE,
        "training",
    ),
    "an error": ("input 3 -> dense 4", "dense 4", "dens 4", Same.FILE, "does not compile"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_difference_is_seen(case: str) -> None:
    """The comparison itself: a text that is not equal fails, in the artifact that shows it."""
    text, old, new, same, artifact = OTHERS[case]
    with pytest.raises(Different, match=artifact):
        check_form(text, netc.compile(text), Form(case, text.replace(old, new), same), Random(0))


def test_weights_are_matched_by_the_order_of_the_models() -> None:
    """The parameters of `weight_norm` are the last ones of a `state_dict`."""
    text = 'use "std/parametrizations.net": weight_norm\nx = input 3\na = x -> dense 4\ny = a -> weight_norm (dense 2)\n'
    form = Form("another name", text.replace("a ->", "b ->").replace("a =", "b ="), Same.ORDER)
    assert check_form(text, netc.compile(text), form, Random(0), [module]) == "same"
