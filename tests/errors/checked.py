"""What `netc check` finds in a spec of one model: in the model, and in its train sections."""

from __future__ import annotations

from pathlib import Path

from netc.analysis import Analysis, check_sections, read_and_analyse
from netc.cli.reading import reader
from netc.dsl.diagnostics.render import sort_and_dedupe
from netc.dsl.parser import parse
from netc.dsl.record import replace
from tests.errors.options import chosen


def checked(path: Path) -> Analysis:
    """The analysis of the model, with the diagnostics of the sections too."""
    choice = chosen(path.read_text(encoding="utf-8"))
    read = reader(str(path), None)
    model = read_and_analyse(read, choice)
    file, problems = parse(model.sources[0])
    sections = [d for one in check_sections(file, model.sources[0], problems, choice, str(path)) for d in one.diagnostics]
    if not sections:
        return model.with_model()
    return replace(model, diagnostics=tuple(sort_and_dedupe([*model.diagnostics, *sections])))
