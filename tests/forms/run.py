"""A text and an equal one, compiled and compared.

In: a text, a relation. Out: what became of it, and what is wrong. Always: a text that does not compile is no input; a form of it that does
not is wrong, unless the language says so by the codes of `Form.refusals`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import netc
from tests.forms import blocks, files, stages, values
from tests.forms.artifacts import ARTIFACTS, compare
from tests.forms.pairs import Pair
from tests.forms.text import Form, ParsedText

Relation = Callable[[ParsedText, Random], Form | None]
RELATIONS: tuple[Relation, ...] = (*values.RELATIONS, *blocks.RELATIONS, *stages.RELATIONS, *files.RELATIONS)


class Different(AssertionError):
    """The two texts do not give the same."""


def check_form(
    text: str, one: netc.Model, form: Form, random: Random, artifacts: Sequence[Callable[[Pair, Random], None]] = ARTIFACTS
) -> str:
    """`same`, or why nothing is compared. Raises `Different`."""
    if form.text == text and not form.params and not form.dims:
        return "no change"
    if not form.files:
        return _checked(one, form, partial(netc.compile, form.text), random, artifacts)
    with tempfile.TemporaryDirectory() as folder:  # train sections are read when they are asked for
        for name, content in {**form.files, "net.net": form.text}.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        return _checked(one, form, partial(netc.compile_file, Path(folder) / "net.net"), random, artifacts)


def _checked(
    one: netc.Model, form: Form, make: Callable[..., netc.Model], random: Random, artifacts: Sequence[Callable[[Pair, Random], None]]
) -> str:
    try:
        other = make(model=form.model, params=dict(form.params), dims=dict(form.dims))
    except netc.CompileError as error:
        codes = {d.code for d in error.diagnostics if d.severity == "error"}
        if codes <= form.refusals:
            return "refused"
        raise Different(f"{form.what}: does not compile: {str(error)[:800]}") from None
    try:
        compare(Pair(one, other, form), random, artifacts)
    except AssertionError as error:
        raise Different(f"{form.what}: {error}") from error
    return "same"
