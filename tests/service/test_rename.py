"""A rename changes all names of one thing, and no other ones. The compiler and ONNX Runtime are the judges."""

from __future__ import annotations

import re

import numpy as np
import pytest

import netc
from netc.analysis import Choice, analyze_models
from netc.dsl.diagnostics import apply_edits
from netc.dsl.source import SourceFile
from netc.service.navigation import RenameRefused, find_references, make_rename
from tests.service.asked import checked_at

SCAN = """x = input [T, 4]
<table:h> = table (n, i) [N, 4] float32 = 0.5
x -> scan (<state:h> = <table:h>, <sum:s> = <table:h>) axis=1 {
  <state:h> = <state:h> * 0.5 + in
  <k:k> = <sum:s>
  <sum:s> = <sum:s> + (in -> relu) + <state:h>
  out <state:h> * <k:k>, <sum:s>
} -> add
"""
"""Names as `<thing:name>`: two things are called `h`."""
NAME = re.compile(r"<(\w+):(\w+)>")


def rename(marked: str, name: str) -> str:
    workspace, checked, offset = checked_at(marked)
    return apply_edits(make_rename(workspace, checked, offset, name))


@pytest.mark.parametrize("thing", ["table", "state", "sum", "k"])
def test_a_state_of_a_scan_is_one_name(thing: str) -> None:
    """The language connects a state and its next values by their name."""
    text = NAME.sub(r"\2", SCAN)
    wanted = NAME.sub(lambda match: "w" if match[1] == thing else match[2], SCAN)
    places = [match for match in NAME.finditer(SCAN) if match[1] == thing]
    for match in places:
        offset = len(NAME.sub(r"\2", SCAN[: match.start()]))
        marked = f"{text[:offset]}|{text[offset:]}"
        assert rename(marked, "w") == wanted
        workspace, checked, offset = checked_at(marked)
        assert len(find_references(workspace, checked, offset)) == len(places)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    before, after = (netc.compile(source).session()(x) for source in (text, wanted))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "marked", ["x = input [|N, 3]\nx -> relu", "x = input 3\nx -> is [|N, 3]", "x = input [T, |N]\nx", "x = input 3\nx -> expand [|N, 3]"]
)
def test_the_batch_has_no_other_name(marked: str) -> None:
    with pytest.raises(RenameRefused):
        rename(marked, "B")


def test_a_rename_puts_no_error_in_the_place_of_another() -> None:
    marked = "tokens = input [|T] int64\ntokens -> dense 16\n"
    with pytest.raises(RenameRefused):
        rename(marked, "dense")
    assert rename(marked, "S") == marked.replace("|T", "S")


SECTIONS = """model price(width=4) {
  area = input 2
  rooms = input []
  guess = (area, rooms -> unsqueeze 1) -> concat axis=1 -> dense width relu as body -> dense 1 as head -> squeeze 1
}
train price(rate=1e-3) {
  target = input []
  size = (guess - target) -> square
  loss = size -> mean
  metric error = (guess, target) -> l1_loss
  data csv "t.csv" area=[rooms, floor] separator=";" target=eur size=2
  optimizer adamw lr=rate
  freeze "body.*"
  fill 0 columns=[rooms]
  category floor [rooms, top]
  validate 0.2 stratify=target
  keep best error
}
train longer = price rate=3e-4 { epochs 20 }
"""
"""`size` is a tensor and an option of the data, and `rooms` an input and a column."""


def check_sections(text: str) -> list[str]:
    analyses = analyze_models(lambda: (SourceFile("a.net", text), None), Choice())
    return sorted(f"{d.code}: {d.message}" for analysis in analyses for d in analysis.diagnostics if d.severity == "error")


@pytest.mark.parametrize(
    ("word", "expected"), [("price", 3), ("area", 3), ("target", 5), ("rooms", 2), ("guess", 3), ("error", 2), ("width", 2), ("size", 2)]
)
def test_a_section_follows_a_rename(word: str, expected: int) -> None:
    """A section without `for` is called after its model, and a line of data names inputs before `=`. The check of the whole file, as
    `netc check` does it, reports the same as before."""
    text = rename(SECTIONS.replace(word, f"|{word}", 1), "new")
    assert len(re.findall(r"\bnew\b", text)) == expected
    assert [line.replace("new", word) for line in check_sections(text)] == check_sections(SECTIONS)
    assert ('separator=";" target=eur size=2' in text) == (word != "target")


@pytest.mark.parametrize("marked", ["|loss = size", "body -> dense 1 as |head", "relu as |body"])
def test_names_that_a_section_needs(marked: str) -> None:
    """`loss` has no other name, and a pattern of parameters contains labels, so a rename would break the section."""
    with pytest.raises(RenameRefused) as caught:
        rename(SECTIONS.replace(marked.replace("|", ""), marked, 1), "new")
    if "loss" in marked:
        assert str(caught.value) == "the name `new` would be an error in x.net: this train section has no loss"
