"""`python -m tests.fuzz.forms`: random specs and equal texts in another form, of which all artifacts are compared: a literal and a name for
it, a block and its body in place, a loop and its copies, a call and a stage, a file and its parts, and others (tests/forms).
"""

from __future__ import annotations

import sys
import warnings
from functools import cache
from random import Random

from tests.case_families import FAMILIES
from tests.forms import blocks, files, stages, values
from tests.forms.artifacts import chosen
from tests.forms.programs import program
from tests.forms.run import RELATIONS, Different, Relation, check_form
from tests.forms.text import Form, ParsedText
from tests.fuzz import spec_texts
from tests.fuzz.campaign import Found, main
from tests.fuzz.texts import texts

TRIES = 20
ARTIFACTS = 3
"""Artifacts that are compared in addition to the graph."""
RARE = frozenset(
    (
        *(*blocks.RELATIONS, *stages.RELATIONS),
        *(values.parameter_of_definition, values.argument_of_block, values.let_of_body, files.reordered),
    )
)
"""Relations that few texts allow."""


@cache
def _originals() -> list[str]:
    """Small specs, examples of the operators and of the language, and the cases of the operators."""
    return [text for text in (*texts(), *(case for module in FAMILIES.values() for case in module.CASES)) if len(text) < spec_texts.LONGEST]


def _spec(random: Random) -> spec_texts.Spec | None:
    """A text and its model: a program with all of the language, a text that exists, or one that was changed."""
    for _ in range(TRIES):
        kind = random.random()
        if kind < 0.6:
            made = spec_texts.compiled(program(random))
        elif kind < 0.85:
            made = spec_texts.compiled(random.choice(_originals()))
        else:
            made = spec_texts.spec(random)
        if made is not None and spec_texts.is_small(made.model):
            return made
    return None


def check(random: Random, stem: str) -> Found:
    """One spec in one other form, of the relations that apply to it."""
    warnings.simplefilter("ignore")  # PyTorch warns of uses that nobody would write
    try:
        made = _spec(random)
    except spec_texts.Crashed as error:
        return Found("crashed", f"{error.__cause__!r:.300}\n{error}")
    if made is None:
        return Found("no spec")
    source = ParsedText(made.text)
    for relation in _in_some_order(random):
        form = None
        try:
            form = relation(source, random)
            if form is None or (form.text == made.text and not form.params and not form.dims):
                continue
            return Found(f"{relation.__name__}: {check_form(made.text, made.model, form, random, list(chosen(random, ARTIFACTS)))}")
        except Exception as error:  # whatever it is, it is wrong
            kind = "different" if isinstance(error, Different) else type(error).__name__
            return Found(f"{relation.__name__}: {kind}", f"{error!s:.900}\n--- of\n{made.text}\n--- and\n{_shown(form)}")
    return Found("no relation")


def _in_some_order(random: Random) -> list[Relation]:
    """All relations, often those first that few texts allow: a literal is in every text, a loop that can be written out is not."""
    rare = [relation for relation in RELATIONS if relation in RARE]
    others = [relation for relation in RELATIONS if relation not in RARE]
    first = random.sample(rare, len(rare)) if random.random() < 0.5 else []
    return [*first, *random.sample(others, len(others)), *rare]


def _shown(form: Form | None) -> str:
    return "" if form is None else "\n".join([form.text, *(f"--- {name}\n{content}" for name, content in form.files.items())])


if __name__ == "__main__":
    sys.exit(main(check, "forms"))
