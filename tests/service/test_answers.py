"""What the service answers, about texts in which a `|` is where the question is asked."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from netc.compiler.ops import Operator
from netc.dsl.diagnostics import apply_edits
from netc.service.actions import find_actions, fix_all, make_format_edit
from netc.service.completion_items import find_completions
from netc.service.diagnostics import group_diagnostics
from netc.service.document_symbols import list_folds, list_symbols
from netc.service.inlay_hints import list_hints
from netc.service.navigation import RenameRefused, find_definition, find_references, make_rename
from netc.service.semantic_tokens import classify_words
from tests.service.asked import RESIDUAL, checked_at


def completions(marked: str, folder: Path | None = None) -> list[str]:
    _, checked, offset = checked_at(marked, folder)
    return [one.label for one in find_completions(checked, offset)]


# --- completion ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("x = input 3\nx -> conv 8 3x3 padding=|", ["same", "valid"]),
        ("x = input 3\nx -> conv 8 3x3 padding=s|", ["same", "valid"]),
        ("x = input 3\nx -> dense 8 bias=|", ["true", "false"]),
        ("x = input 3\nx -> cast |", ["float32", "float16"]),
        ("x = input 3 |", ["float32", "float16"]),
        ("x = input [3, 4] |", ["float32", "float16"]),
        ("x = input 3\nx -> dense |", ["units=", "bias="]),
        ("x = input 3\nx -> dense 8 |", ["bias=", "init="]),
        ("x = input 3\nx -> dense 8 bias=false |", ["init=", "bias_init="]),
        ("x = input 3\nx -> dense 8 init=|", ["zeros", "ones"]),
        ("block f(a, b=2) { in -> dense a }\ninput 3 -> f |", ["a=", "b="]),
        ("block f(a, b=2) { in -> dense a }\ninput 3 -> f 4 |", ["b="]),
        ("block f(a, b=2) { in -> dense a }\ninput 3 -> f(4, |", ["b="]),
        ("x = input 3\nx -> dense(8, |", ["bias=", "init="]),
        ("let g = (dense bias=false)\ninput 3 -> g |", ["units=", "bias="]),
        ("t = input [T] int64\nt -> embedding 9 4 as words -> dense 9 tie=|", ["words"]),
        ('use "std/ml|', ["std/mlp.net"]),
        ('use "std/mlp.net": |', ["mlp", "gated_mlp"]),
        ("x = input 3\nx -> dense x.|", ["shape", "rank", "channels", "features", "dtype"]),
        ("|", ["let", "out", "expect", "shared", "default", "block", "model", "fn", "use", "train"]),
    ],
)
def test_completion_begins_with(marked: str, first: list[str]) -> None:
    assert completions(marked)[: len(first)] == first


@pytest.mark.parametrize("call", ["max(2, ", "round(1.5, ", "min(n, n + 1, "])
def test_arguments_of_functions_have_no_names(call: str) -> None:
    """`max` and `round` are operators too."""
    found = completions(f"let n = 2\nx = input 3\nx -> dense {call}|")
    assert "n" in found
    assert not [label for label in found if label.endswith("=")]


def test_all_operators_are_stages_and_nothing_else_is_lost() -> None:
    found = completions("block mine { relu }\nx = input 3\nx -> |")
    assert found[0] == "mine"
    assert {name for name, operator in Operator.registry.items() if operator.operands} <= {*found}
    assert "x" not in found  # a tensor is no stage


@pytest.mark.parametrize("marked", ["x = input 3 # |", 'x = input 3\nx -> rearrange "n |', "x = input 3\nx -> dense 3 as |"])
def test_there_is_nothing_to_complete(marked: str) -> None:
    assert completions(marked) == []


def test_completion_in_a_block_that_is_not_closed() -> None:
    found = completions("block f(size, act=relu) {\n  inner = in -> dense size\n  other = inn|")
    assert {"size", "act", "inner", "f"} <= {*found}


def test_completion_of_paths_and_their_names(tmp_path: Path) -> None:
    (tmp_path / "parts.net").write_text("block one { relu }\nlet two = 2\nmodel three { input 3 -> relu }\n")
    assert completions('use "p|', tmp_path) == ["parts.net"]
    assert completions('use "parts.net": |', tmp_path) == ["one", "two", "three"]
    assert completions('use "parts.net": one, t|', tmp_path) == ["one", "two", "three"]


@pytest.mark.parametrize(
    "marked",
    [
        "x = input 3\nx -> rearrange pattern |",
        'x = input 3\nx -> rearrange "n c -> c n" y|',
        "block b(x: |",
        "if training: |",
        "use parts: |",
        'x = "parts.net": |',
    ],
)
def test_names_of_a_file_are_suggested_after_its_use_alone(marked: str, tmp_path: Path) -> None:
    (tmp_path / "parts.net").write_text("block one { relu }\nlet two = 2\n")
    assert "two" not in completions(f'use "parts.net": one\n{marked}', tmp_path)


# --- names -------------------------------------------------------------------------------------------------------------------------


def renamed(marked: str, name: str) -> str:
    workspace, checked, offset = checked_at(marked)
    return apply_edits(make_rename(workspace, checked, offset, name))


@pytest.mark.parametrize("at", ["let wid|th = 8", "residual wid|th"])
def test_a_name_is_renamed_everywhere(at: str) -> None:
    assert renamed(RESIDUAL.replace(at.replace("|", ""), at, 1), "size") == RESIDUAL.replace("width", "size")


def test_a_parameter_is_renamed_where_it_is_given() -> None:
    assert renamed(RESIDUAL.replace("act=gelu", "a|ct=gelu"), "f") == RESIDUAL.replace("act", "f")


def test_text_that_is_not_evaluated_is_renamed_too() -> None:
    text = "let k = 4\nblock unused(n) { if n == 3 { in -> dense k } else { in -> dense |k } }\nx = input 3 -> dense k\nx"
    assert renamed(text, "size") == text.replace("|", "").replace("k = 4", "size = 4").replace("dense k", "dense size")


@pytest.mark.parametrize(
    ("marked", "wanted"),
    [
        ("let (a|lpha, (b, _)) = [3, [4, 5]]\ninput 3 -> dense (alpha + b)", "let (w, (b, _)) = [3, [4, 5]]\ninput 3 -> dense (w + b)"),
        ("x = input 3\nlet size = x.features\n|x -> dense size", "w = input 3\nlet size = w.features\nw -> dense size"),
        (
            "x = input 3\ny = x -> dense 1\ntrain a { e = y; loss = e -> mean; epochs 1 }\ntrain b = a { metric m = |e -> mean }",
            "x = input 3\ny = x -> dense 1\ntrain a { w = y; loss = w -> mean; epochs 1 }\ntrain b = a { metric m = w -> mean }",
        ),
        ("relu = input 3\nrelu -> dense 3 relu -> re|lu -> add\n", ""),
        ("re|lu = input 3\nrelu -> dense 3 relu", "w = input 3\nw -> dense 3 relu"),
    ],
)
def test_only_what_refers_to_the_definition_is_renamed(marked: str, wanted: str) -> None:
    if wanted:
        assert renamed(marked, "w") == wanted
    else:
        with pytest.raises(RenameRefused, match="not defined in a spec"):
            renamed(marked, "w")


def test_a_dimension_is_renamed_in_shapes() -> None:
    text = "x = input 3xHxW where H % 2 == 0\nx -> is [N, 3, |H, W]"
    assert renamed(text, "R") == "x = input 3xRxW where R % 2 == 0\nx -> is [N, 3, R, W]"


@pytest.mark.parametrize("name", ["x", "let", "N", "two words", "é", "3", ""])
def test_a_name_that_would_not_do_is_refused(name: str) -> None:
    with pytest.raises(RenameRefused):
        renamed("x = input 3\n|h = x -> dense 4\nx + h", name)


@pytest.mark.parametrize("marked", ["input 3 -> de|nse 4", "in|put 3 -> dense 4", 'use "std/mlp.net": m|lp\ninput 3 -> mlp 4'])
def test_what_is_not_the_users_is_not_renamed(marked: str) -> None:
    with pytest.raises(RenameRefused):
        renamed(marked, "other")


def test_names_across_files(tmp_path: Path) -> None:
    (tmp_path / "parts.net").write_text("# Half as wide.\nblock half(width) { in -> dense (width / 2) }\n")
    other = tmp_path / "other.net"
    other.write_text('use "parts.net"\ninput 3 -> half width=8\n')
    workspace, checked, offset = checked_at('use "parts.net": half\ninput 4 -> ha|lf 6\n', tmp_path)
    place = find_definition(checked, offset)
    assert place is not None
    assert (place.file.name, place.text) == (str(tmp_path / "parts.net"), "half")
    found = {(Path(span.file.name).name, span.file.line_and_column(span.start)) for span in find_references(workspace, checked, offset)}
    assert found == {("x.net", (1, 18)), ("x.net", (2, 12)), ("parts.net", (2, 7)), ("other.net", (2, 12))}
    edits = make_rename(workspace, checked, offset, "thin")
    assert {Path(edit.span.file.name).name for edit in edits} == {"x.net", "parts.net", "other.net"}


def test_labels_and_paths_have_definitions() -> None:
    _, checked, offset = checked_at("t = input [T] int64\nt -> embedding 9 4 as words -> dense 9 bias=false tie=wo|rds")
    place = find_definition(checked, offset)
    assert place is not None
    assert place.start == checked.source.text.index("words")
    _, checked, offset = checked_at('use "std/m|lp.net"\ninput 3 -> mlp 4')
    place = find_definition(checked, offset)
    assert place is not None
    assert place.file.text.startswith("#")


# --- the text as a whole -------------------------------------------------------------------------------------------------------------


def test_diagnostics_of_a_used_file_are_shown_in_both(tmp_path: Path) -> None:
    (tmp_path / "parts.net").write_text("block f { in -> dens 3 }\n")
    _, checked, _ = checked_at('use "parts.net"\ninput 3 -> f\n', tmp_path)
    shown = group_diagnostics(checked)
    assert [one.diagnostic.code for one in shown[str(tmp_path / "parts.net")]] == ["unknown-operator"]
    (here,) = shown[checked.path]
    assert here.diagnostic.span.text == "f"


@pytest.mark.parametrize(("text", "code"), [("block f { in -> -> relu }\n", "syntax"), ("", "empty-file")])
def test_what_is_wrong_with_a_used_file_as_such_is_shown_at_its_path(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "more.net").write_text(text)
    (tmp_path / "parts.net").write_text('use "more.net"\nblock g { in -> relu }\n')
    _, checked, _ = checked_at('# first\nuse "std/mlp.net": mlp\nuse "parts.net"\ninput 3 -> g -> mlp 4\n', tmp_path)
    (here,) = group_diagnostics(checked)[checked.path]
    assert (here.diagnostic.code, here.diagnostic.span.text) == (code, '"parts.net"')


def test_an_open_text_is_what_others_use(tmp_path: Path) -> None:
    parts = tmp_path / "parts.net"
    parts.write_text("block f { in -> dense 3 }\n")
    workspace, checked, _ = checked_at('use "parts.net"\ninput 3 -> f\n', tmp_path)
    assert checked.view.program is not None
    workspace.open_text(str(parts), "block f { in -> dens 3 }\n")
    changed = workspace.check_text(checked.path)
    assert changed is not None
    assert changed.view.program is None
    workspace.close_text(str(parts))
    again = workspace.check_text(checked.path)
    assert again is not None
    assert again.view.program is not None
    parts.write_text("block g { in -> dense 33 }\n")
    on_disk = workspace.check_text(checked.path)
    assert on_disk is not None
    assert [d.code for d in on_disk.collect_diagnostics()] == ["unknown-operator"]


def test_actions_are_the_edits_of_diagnostics() -> None:
    _, checked, offset = checked_at("x = input 3\nx -> den|s 4 -> rleu")
    (one,) = find_actions(checked, offset, offset)
    assert one.title == "Replace `dens` with `dense`"
    assert apply_edits([*one.edits]) == "x = input 3\nx -> dense 4 -> rleu"
    assert fix_all(checked) is None  # what is only similar may not be what was meant
    every = fix_all(checked_at("x = input 3\nx -> Dense 4 -> re_lu")[1])
    assert every is not None
    assert apply_edits([*every.edits]) == "x = input 3\nx -> dense 4 -> relu"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("input 3 -> dropout 0,5", "input 3 -> dropout 0.5"),
        ("input 3 -> dropout p=0,25 -> relu", "input 3 -> dropout p=0.25 -> relu"),
        ("input 3 -> dense 2,relu", "input 3 -> dense 2 relu"),
        ("input 3 -> dense 2 ,relu", "input 3 -> dense 2 relu"),
        ("input 1x8x8 -> conv 16,3", "input 1x8x8 -> conv 16 3"),
        ("input 3 dense 2", "input 3 -> dense 2"),
        ("input 1x8x8 -> conv 4 3 same", "input 1x8x8 -> conv 4 3 padding=same"),
        ("Input 3 -> dense 2", "input 3 -> dense 2"),
        ('input 3 -> dense "2"', "input 3 -> dense 2"),
        ("x := input 3\nx -> relu", "x = input 3\nx -> relu"),
        ("k = 3\ninput 3 -> dense k", "let k = 3\ninput 3 -> dense k"),
        ("block f(n) {\n  k = n * 2\n  dense k\n}\ninput 3 -> f 4", "block f(n) {\n  let k = n * 2\n  dense k\n}\ninput 3 -> f 4"),
    ],
)
def test_an_action_mends_a_common_mistake(wrong: str, right: str) -> None:
    _, checked, _ = checked_at(wrong)
    first = find_actions(checked, 0, len(wrong))[0]
    assert apply_edits([*first.edits]) == right
    assert checked_at(right)[1].collect_diagnostics() == []


def test_a_setting_is_no_tensor() -> None:
    text = "x = input 3\ny = x -> dense 2\ntrain {{\n  epochs{0}3\n  optimizer{0}adam lr=0.1\n  loss = y -> mean\n}}\n"
    _, checked, _ = checked_at(text.format(" = "))
    problems = checked.check_sections()
    assert [one.code for one in problems if one.code != "unused-result"] == ["wrong-setting", "wrong-setting"]
    assert apply_edits([edit for one in problems for edit in one.edits]) == text.format(" ")


def test_each_section_is_checked() -> None:
    """Of two train sections, each has the mistakes that are in it."""
    section = "train {0} {{\n  epochs = 3\n  optimizer adam lr=0.1\n  loss = y -> mean\n}}\n"
    text = "x = input 3\ny = x -> dense 2\n" + section.format("first") + section.format("second")
    found = [one for one in checked_at(text)[1].check_sections() if one.code == "wrong-setting"]
    assert sorted(one.span.start for one in found) == [at.start() for at in re.finditer("epochs", text)]


def test_a_position_is_shown_once_with_a_diagnostic() -> None:
    _, checked, _ = checked_at("block f { in -> f }\ninput 3 -> f")
    (shown,) = group_diagnostics(checked)[checked.path]
    assert len(shown.related) == len({*shown.related}) == 3


def test_formatting_is_one_edit_of_what_differs() -> None:
    _, checked, _ = checked_at("x = input 3\nx->dense   4\n")
    edit = make_format_edit(checked)
    assert edit is not None
    assert apply_edits([edit]) == "x = input 3\nx -> dense 4\n"
    assert "input" not in edit.span.text
    assert make_format_edit(checked_at("x = (\n")[1]) is None


def test_outline_and_folds() -> None:
    _, checked, _ = checked_at(RESIDUAL)
    outline = [(one.kind, one.text, [(part.kind, part.text) for part in one.inner]) for one in list_symbols(checked)]
    inside = [("tensor", "main"), ("label", "first")]
    assert outline == [("let", "width", []), ("block", "residual", inside), ("tensor", "x", []), ("tensor", "y", [])]
    lines = [(checked.source.line_and_column(one.start)[0], checked.source.line_and_column(one.end)[0]) for one in list_folds(checked)]
    assert lines == [(3, 5)]


def test_each_word_has_a_kind() -> None:
    _, checked, _ = checked_at(RESIDUAL)
    kinds = {checked.source.text[word.start : word.end]: word.kind for word in classify_words(checked)}
    expected = {"let": "keyword", "width": "variable", "residual": "class", "units": "parameter", "dense": "function", "first": "label"}
    assert {name: kinds[name] for name in expected} == expected
    assert kinds["T"] == "type"
    assert kinds["# Adds what it computes."] == "comment"


def test_a_model_that_is_a_stage_is_a_class() -> None:
    _, checked, _ = checked_at("model part { input 3 -> dense 4 }\nmodel whole { input 3 -> part }\n")
    assert [word.kind for word in classify_words(checked) if checked.source.text[word.start : word.end] == "part"] == ["class"] * 2


def test_a_model_can_be_chosen() -> None:
    workspace, checked, _ = checked_at("model a { input 3 -> dense 4 }\nmodel b { input 5 -> dense 6 }\n")
    assert checked.models == ("a", "b")
    workspace.choose_model(checked.path, "b")
    chosen = workspace.check_text(checked.path)
    assert chosen is not None
    assert chosen.models == ("b", "a")
    assert [hint.text for hint in list_hints(chosen)] == ["# [N, 6]"]
    chosen.find_view("a")
    assert [hint.text for hint in list_hints(chosen)] == ["# [N, 4]", "# [N, 6]"]


def test_the_arrays_of_a_table_are_read_again(tmp_path: Path) -> None:
    """Also for a block, which is kept where its text stays the same."""
    path = tmp_path / "y.safetensors"
    save_file({"mask": np.ones(3, np.float32)}, path)
    text = 'block f { in + (table [3] file="y.safetensors" name="mask") }\ninput 3 -> f\n'
    workspace, checked, _ = checked_at(text, tmp_path)
    assert checked.view.program is not None
    save_file({"mask": np.ones((1, 5), np.float32)}, path)
    changed = workspace.check_text(checked.path)
    assert changed is not None
    (shown,) = group_diagnostics(changed)[checked.path]
    assert (shown.diagnostic.code, shown.diagnostic.span.text) == ("table-differs", "[3]")
