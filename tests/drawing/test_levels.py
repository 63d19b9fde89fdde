"""What is drawn: boxes, their texts, wires, and which of them are open."""

from __future__ import annotations

import pytest

import netc
from netc.drawing.picture import Box, Level, Picture
from netc.drawing.picture_levels import NoSuchStage, make_picture


def drawn(text: str, depth: int | None = None, at: str = "", pages: int = 100) -> Picture:
    return make_picture(netc.compile(text).program, depth=depth, at=at, pages=pages)


def titles(level: Level) -> list[str]:
    return [box.title for box in level.boxes]


def named(level: Level, title: str) -> Box:
    return next(box for box in level.boxes if box.title == title)


def wires(level: Level) -> set[tuple[str, str]]:
    return {(level.boxes[wire.source].title, level.boxes[wire.target].title) for wire in level.wires}


def test_a_pipeline() -> None:
    """Parameters: 3 * 2 + 2; operations: a multiplication and an addition each for 3 * 2 weights, and 2 additions of the bias."""
    level = drawn("x = input 3; h = x -> dense 2 as first; h -> sigmoid").pages[0].level
    assert titles(level) == ["x", "first", "sigmoid", "output"]
    assert named(level, "first").lines == ("dense 2", "8 parameters, 14 FLOPs")
    assert [box.tags for box in level.boxes] == [("[N, 3]",), ("[N, 2]",), ("[N, 2]",), ()]
    assert wires(level) == {("x", "first"), ("first", "sigmoid"), ("sigmoid", "output")}


def test_a_residual_connection() -> None:
    level = drawn("x = input 4; h = x -> dense 4 as a -> relu; x + h").pages[0].level
    assert ("x", "+") in wires(level)
    assert ("relu", "+") in wires(level)


def test_equal_stages_in_a_row_are_one_box_with_their_number() -> None:
    """100 layers of 8 * 8 + 8 parameters."""
    level = drawn("input 8 -> repeat 100 as layers { dense 8 relu }", depth=0).pages[0].level
    layers = named(level, "layers")
    assert layers.times == 100
    assert layers.lines[-1].startswith("7,200 parameters")
    inside = drawn("input 8 -> repeat 100 as layers { dense 8 relu }").pages[0].level
    frame = named(inside, "layers").frame
    assert frame is not None
    assert [box.title for box in frame.boxes if box.shape == "stage"] == ["dense 8", "relu"]


def test_equal_stages_whose_results_are_used_elsewhere_stay_apart() -> None:
    level = drawn("x = input 8; a = x -> dense 8; b = a -> dense 8; a + b").pages[0].level
    assert [box.times for box in level.boxes] == [1] * len(level.boxes)
    assert len(level.boxes) == 5


def test_many_equal_stages_side_by_side_are_one_box() -> None:
    """24 layers of 8 * 64 + 8 parameters; five of them are few enough to be shown one by one."""
    text = "x = input 64\nx -> each i in 0..24 as experts.{i} { dense 8 } -> concat axis=1"
    level = drawn(text).pages[0].level
    assert titles(level) == ["x", "experts.0 … experts.23", "concat 1", "output"]
    box = level.boxes[1]
    assert (box.times, box.lines[0], box.tags) == (24, "dense 8 side by side", ("24 × [N, 8]",))
    assert box.lines[1].startswith("12.5 k parameters")
    assert wires(level) == {("x", box.title), (box.title, "concat 1"), ("concat 1", "output")}
    assert len(drawn(text.replace("24", "5")).pages[0].level.boxes) == 8
    numbered = drawn("input 64 -> each i in 0..9 as {i} { dense 8 relu } -> concat axis=1", depth=0).pages[0].level
    assert (numbered.boxes[1].title, numbered.boxes[1].times) == ("0 … 8", 9)


def test_stages_side_by_side_stay_apart_where_what_they_give_goes_elsewhere() -> None:
    names = "abcdefgh"
    text = "x = input 4; " + "; ".join(f"{name} = x -> dense 4 as {name}" for name in names)
    level = drawn(f"{text}; y = ({', '.join(names)}) -> concat axis=1; out y, a").pages[0].level
    assert [(box.title, box.times) for box in level.boxes if box.lines and box.lines[0].startswith("dense 4")] == [("a", 1), ("b … h", 7)]
    apart = drawn(f"{text}; " + "; ".join(f"{name}2 = {name} -> relu" for name in names) + "; out " + ", ".join(f"{n}2" for n in names))
    assert len([box for box in apart.pages[0].level.boxes if box.lines and box.lines[0] == "dense 4"]) == len(names)


def test_a_number_before_a_tensor_is_before_its_operator() -> None:
    assert titles(drawn("x = input 3; (1 - x) / 2").pages[0].level) == ["x", "1 - in", "/ 2", "output"]


def test_many_inputs_for_one_stage_are_one_box() -> None:
    """Those of another type, and those that go elsewhere too, stay apart; so do four in a row."""
    names = [f"n{i}" for i in range(9)]
    inputs = "; ".join(f"{name} = input 1" for name in names)
    text = f"{inputs}; k = input 1 int64; all = ({', '.join(names)}, k -> cast float32) -> concat axis=1"
    level = drawn(f"{text}; out all").pages[0].level
    assert titles(level) == ["n0 … n8", "k", "cast float32", "concat 1", "all"]
    assert level.boxes[0].tags == ("9 × [N, 1]",)
    assert titles(drawn(f"{text}; out all, n2").pages[0].level)[:4] == ["n0", "n1", "n2", "n3 … n8"]
    assert titles(drawn(f"{text}; out all, n4").pages[0].level)[:9] == names


def test_equal_stages_with_an_input_each_are_one_box() -> None:
    inputs = "; ".join(f"c{i} = input [] int64" for i in range(7))
    stages = "; ".join(f"e{i} = c{i} -> embedding 10 4 as table{i}" for i in range(7))
    level = drawn(f"{inputs}; {stages}; ({', '.join(f'e{i}' for i in range(7))}) -> stack axis=1").pages[0].level
    assert titles(level) == ["c0 … c6", "table0 … table6", "stack 1", "output"]


def test_what_differs_among_stages_side_by_side_is_marked() -> None:
    text = "block b(n) { in -> dense n }\ninput 8 -> each i in 0..8 as e.{i} { b 4 } -> concat axis=1"
    before, after = netc.compile(text.replace("b 4", "b 5")).program, netc.compile(text).program
    assert {b.title: b.change for b in make_picture(after, depth=0, before=before).pages[0].level.boxes if b.change}[
        "e.0 … e.7"
    ] == "changed"


def test_other_stages_in_a_row_stay_apart() -> None:
    level = drawn("input 8 -> dense 8 -> dense 8 bias=false -> dense 4").pages[0].level
    assert [box.lines[0] for box in level.boxes if box.shape == "stage"] == ["dense 8", "dense 8 bias=false", "dense 4"]


def test_wires_go_to_the_inputs_that_they_are() -> None:
    """The second argument of the block is the first input of the model."""
    text = "block two(p: [N, A], q: [N, B]) { (p -> dense 2) + (q -> dense 2) }\nx = input 3; y = input 4; (y, x) -> two as both"
    level = drawn(text, depth=1).pages[0].level
    frame = named(level, "both").frame
    assert frame is not None
    assert [box.title for box in frame.boxes[:2]] == ["p", "q"]
    assert {(level.boxes[w.source].title, w.port) for w in level.wires if level.boxes[w.target].title == "both"} == {("y", 0), ("x", 1)}


def test_the_results_of_a_frame_are_those_inside() -> None:
    text = "block two { a = in -> dense 2; b = in -> dense 3; out a, b }\nx = input 3; (p, q) = x -> two as both; out q, p"
    level = drawn(text, depth=1).pages[0].level
    both = named(level, "both")
    assert both.tags == ("[N, 2]", "[N, 3]")
    assert both.exits == (0, 1)
    unused = drawn(text.replace("out q, p", "q"), depth=1).pages[0].level
    assert named(unused, "both").tags == ("[N, 3]",)
    assert named(unused, "both").exits == (1,)


def test_closed_boxes_lead_to_pages() -> None:
    made = drawn("block b { dense 4 relu -> dense 4 tanh }\nx = input 4; x -> b as one -> relu -> b as two", depth=0)
    assert [named(made.pages[0].level, name).opens for name in ("one", "two")] == [1, 1], "they are the same inside"
    assert titles(made.pages[1].level) == ["in", "dense1", "relu", "dense2", "tanh", "out"]
    assert (made.pages[1].title, made.pages[1].subtitle, made.pages[1].parent) == ("one", "b", 0)


def test_too_many_pages_are_left_out_and_counted() -> None:
    text = "".join(f"block b{i} {{ dense {i + 1} relu -> dense 4 }}\n" for i in range(9))
    made = drawn(text + "input 4" + "".join(f" -> b{i}" for i in range(9)), depth=0, pages=4)
    assert (len(made.pages), made.left_out) == (4, 6)


def test_a_long_row_is_groups() -> None:
    """Every page can be read; all stages are in some page."""
    made = drawn("input 8" + "".join(f" -> dense {8 + i % 2}" for i in range(1000)), pages=1000)
    assert all(sum(box.shape in ("stage", "block") for box in page.level.boxes) <= 40 for page in made.pages)
    stages = [box.title for page in made.pages for box in _boxes(page.level) if box.shape == "stage"]
    assert sorted(stages) == sorted(f"dense{i + 1}" for i in range(1000))


def test_the_title_of_a_group_is_its_first_and_its_last_stage() -> None:
    """60 stages are three groups of 20."""
    level = drawn("input 8" + "".join(f" -> dense {8 + i % 2}" for i in range(60)), pages=1).pages[0].level
    assert titles(level)[1:-1] == ["dense1 … dense20", "dense21 … dense40", "dense41 … dense60"]


def test_the_steps_of_a_loop_that_is_written_out_are_not_cut() -> None:
    """7 stages a step, in a row of 70: between two groups goes the state, and what was given before the first step."""
    step = "h = in -> dense 4 -> tanh; a = h * y; b = h + y; g = a -> sigmoid; g * b -> layer_norm"
    level = drawn(f"x = input 4; y = input 4; x -> repeat 10 as _ {{ {step} }} -> relu", depth=0).pages[0].level
    assert {len(box.tags) for box in level.boxes if box.shape == "block"} == {1}


def _boxes(level: Level) -> list[Box]:
    return [inner for box in level.boxes for inner in (_boxes(box.frame) if box.frame is not None else [box])]


def test_part_of_a_model() -> None:
    text = "block b { dense 4 relu as first -> dense 4 }\nx = input 4; x -> (b as inner -> relu) as outer"
    assert titles(drawn(text, at="outer", depth=0).pages[0].level) == ["in", "inner", "relu", "out"]
    assert drawn(text, at="outer.inner").pages[0].title == "outer.inner"
    with pytest.raises(NoSuchStage, match=r"no stage `outer\.other`"):
        drawn(text, at="outer.other")
    with pytest.raises(NoSuchStage, match="nothing is inside"):
        drawn(text, at="outer.inner.dense1")


def test_a_scan_and_shared_stages() -> None:
    text = "x = input [T, 8]\nzeros = table (n, i) [N, 16] float32 = 0\nx -> scan (h = zeros) axis=1 { h = (in, h) -> gru_cell 16 as cell }"
    level = drawn(text, depth=0).pages[0].level
    assert ("scan", "a step for each position") in [(box.title, box.lines[0]) for box in level.boxes if box.lines]
    shared = drawn("shared enc = dense 4\nx = input 4; y = input 4; (x -> enc) + (y -> enc)").pages[0].level
    assert [box.title for box in shared.boxes].count("enc") == 2
    assert all("(shared)" in box.lines[0] for box in shared.boxes if box.title == "enc")


def test_what_only_training_gives() -> None:
    level = drawn("x = input 4; a = x -> dense 2; b = x -> dense 3; if training { out a, b } else { a }").pages[0].level
    assert [box.title for box in level.boxes if box.shape == "output"] == ["output", "b in training"]


def test_long_types_and_formulas_are_short() -> None:
    level = drawn("input 3xHxW -> conv 8 7x7 stride=2 padding=3").pages[0].level
    box = next(box for box in level.boxes if box.shape == "stage")
    assert box.tags == ("[N, 8, H2, W2]",)
    assert box.lines[1] == "1,184 parameters, 2,360·H2·W2 FLOPs"
    cut = drawn("input 3xHxW -> conv 8 7x7 stride=2").pages[0].level
    assert [box.lines[1] for box in cut.boxes if box.shape == "stage"] == ["1,184 parameters, 2,360·H2·W2 + … FLOPs"]


def test_what_differs_is_marked() -> None:
    """A closed box is marked if anything inside differs; what is removed is named below."""
    text = "block b(act) { dense 8 as d -> act as a }\ninput 8 -> dense 8 as f -> relu as r"
    text += " -> repeat 5 as layers { b relu as b } -> dense 4 as h"
    after = text.replace("b relu", "b tanh").replace("relu as r ->", "dropout 0.1 as p ->").replace("dense 4 as h", "dense 5 as h")
    one, other = netc.compile(text).program, netc.compile(after).program
    for depth, marked in ((0, {"p": "added", "layers": "changed"}), (1, {"p": "added", "a": "changed"})):
        page = make_picture(other, depth=depth, before=one).pages[0]
        found = {box.title: box.change for box in _boxes(page.level) if box.change}
        assert found == marked | {"h": "changed", "output": "changed"}
        assert page.legend == ("green: added, yellow: changed", "removed: r")
    same = make_picture(one, before=one).pages[0]
    assert not any(box.change for box in _boxes(same.level))
    assert same.legend == ()


def test_inputs_and_outputs_that_differ_are_marked() -> None:
    one = netc.compile("x = input 3; y = input 3; a = x + y; c = y * 2; out a, c").program
    other = netc.compile("x = input 3; y = input 3; k = input 1; a = x * k; b = y * 1; out a, b").program
    page = make_picture(other, before=one).pages[0]
    assert [(box.title, box.change) for box in page.level.boxes if box.shape in ("input", "output")] == [
        ("x", ""),
        ("y", ""),
        ("k", "added"),
        ("a", ""),
        ("b", "added"),
    ]
    assert page.legend[:2] == ("green: added, yellow: changed", "removed: c")


def test_many_removed_stages_are_counted() -> None:
    before = "input 8" + "".join(f" -> dense {8 + i % 2} as s{i}" for i in range(50)) + " -> dense 8 as last"
    page = make_picture(netc.compile("input 8 -> dense 8 as last").program, before=netc.compile(before).program).pages[0]
    assert page.legend[-1] == "and 30 others"
