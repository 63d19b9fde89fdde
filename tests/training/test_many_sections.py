"""Checking n train sections of a file takes n times the work of one."""

from __future__ import annotations

import cProfile

from netc.analysis import Choice, analyze_models
from netc.dsl.source import SourceFile

COUNT = 40


def test_the_sections_of_a_file_are_collected_once() -> None:
    text = "x = input 4\ny = x -> dense 1\n" + "".join(f"train t{i} {{ loss = y -> mean }}\n" for i in range(COUNT))
    profile = cProfile.Profile()
    found = profile.runcall(lambda: analyze_models(lambda: (SourceFile("many.net", text), None), Choice()))
    assert [analysis.diagnostics for analysis in found] == [()] * (COUNT + 1)  # the model, and each section
    calls = sum(entry.callcount for entry in profile.getstats() if getattr(entry.code, "co_name", "") == "section_name")
    assert 0 < calls <= 10 * COUNT  # once for each of the others would be 40


def test_each_section_reports_a_name_that_is_taken() -> None:
    text = "x = input 4\ny = x -> dense 1\ntrain a { loss = y -> mean }\ntrain b { loss = y -> mean }\ntrain a { loss = y -> mean }\n"
    _, *found = analyze_models(lambda: (SourceFile("twice.net", text), None), Choice())
    assert len(found) == 3
    assert all("bound-twice" in {d.code for d in analysis.diagnostics} for analysis in found)
