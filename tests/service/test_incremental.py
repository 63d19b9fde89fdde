"""A text that is checked after others, as when it is typed, has the answers of one that is checked alone."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from netc.compiler.elaborate.index import MAX_EVALUATIONS
from netc.dsl.source import Span
from netc.service.checked_text import CheckedText
from netc.service.type_text import format_type_or_value
from netc.service.workspace import Workspace

from .edits import edited

SPECS = sorted((Path(__file__).parents[2] / "specs").rglob("*.net"))


def answers(checked: CheckedText) -> dict[str, object]:
    """All that was found, with positions as numbers. Of what is evaluated often, the index has the first values only."""

    def at(span: object) -> object:
        return None if span is None else (span.file.name, span.start, span.end)  # type: ignore[attr-defined]

    view = checked.view
    return {
        "diagnostics": [
            (d.code, d.message, d.label, at(d.span), [(at(m.span), m.text) for m in d.marks], [(at(e.span), e.text) for e in d.edits])
            for d in checked.collect_diagnostics()
        ],
        "stages": [
            (at(s.span), s.count, sorted(map(format_type_or_value, s.types)) if s.count <= MAX_EVALUATIONS else []) for s in checked.stages
        ],
        "names": [
            (
                at(r.span),
                r.kind,
                at(r.definition),
                r.count,
                sorted(map(format_type_or_value, r.values)) if r.count <= MAX_EVALUATIONS else [],
            )
            for r in checked.references
        ],
        "compiles": view.program is not None,
    }


def names(checked: CheckedText) -> set[tuple[object, ...]]:
    """What each name refers to, found in the text alone."""
    return {(place(one.span), one.definition and place(one.definition.span)) for one in checked.names.occurrences}


def remembered_names(checked: CheckedText) -> set[tuple[object, ...]]:
    """The same, found in the tree whose definitions stay while the text around them changes."""
    names, at = checked.names_in_tree, checked.tree.to_absolute
    return {(place(at(one.span)), one.definition and place(at(one.definition.span))) for one in names.occurrences}


def place(span: Span | None) -> object:
    assert span is not None
    return span.file.name, span.start, span.end


def compare(count: int, seed: int) -> None:
    random = Random(seed)
    texts = {path: path.read_text(encoding="utf-8") for path in SPECS}
    workspace, text, path, model = Workspace(), "", SPECS[0], None
    for number in range(count):
        if number % 6 == 0:
            path = random.choice(SPECS)
            text = texts[path]
        before, text = text, edited(text, random, random.choice([*texts.values()]))
        if random.random() < 0.5:  # half of the texts should be right, or nearly
            text = before.replace(" relu", " tanh", 1) if random.random() < 0.5 else "# more\n" + before
        workspace.open_text(str(path), text)
        checked = workspace.check_text(str(path))
        assert checked is not None
        model = random.choice(checked.models)
        workspace.choose_model(str(path), model)
        alone = workspace.copy_texts()  # with the same open texts, which others use, and no past
        found, expected = workspace.check_text(str(path)), alone.check_text(str(path))
        assert found is not None
        assert expected is not None
        assert remembered_names(found) == names(expected), f"edit {number} of seed {seed}, of {path}:\n{text}"
        assert answers(found) == answers(expected), f"edit {number} of seed {seed}, of {path} {model}:\n{text}"


SCORED = """block head { in -> dense 3 -> softmax -> unsqueeze 1 -> squeeze 1 }
block judged(y: [N, _], t: [N]) { (y -> head, t) -> cross_entropy }
x = input 8
label = input [] int64
(x, label) -> judged
"""


def test_a_mark_in_another_definition_moves_with_it() -> None:
    """The warning of a body that has not changed marks `softmax`, wherever that is now."""
    workspace = Workspace()
    for text in (SCORED, "# more\n" + SCORED, "# more\n" + SCORED.replace("input 8", "input 9"), SCORED.replace("softmax", "relu"), SCORED):
        workspace.open_text("scored.net", text)
        checked = workspace.check_text("scored.net")
        assert checked is not None
        marks = [text[mark.span.start : mark.span.end] for one in checked.collect_diagnostics() for mark in one.marks]
        assert marks == (["softmax"] if "softmax" in text else [])
        alone = workspace.copy_texts().check_text("scored.net")
        assert alone is not None
        assert answers(checked) == answers(alone)


@pytest.mark.long
def test_nothing_depends_on_earlier_texts() -> None:
    compare(120, seed=3)
