"""Models of other files: `use "lib.net": small`. The judges are torchvision, and the same definitions written in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchvision

import netc
from netc.analysis import Choice, analyze_training
from netc.compiler.backends.net.bundled_text import bundle_text
from netc.compiler.ir.program_equality import is_same_program
from netc.compiler.ir.training_program import Training
from netc.dsl.source import SourceFile
from netc.service.navigation import RenameRefused, find_definition, make_rename
from netc.service.workspace import Workspace

LIB = """
let depth = 2
fn half(n) = n // 2
block mlp(width) { repeat depth { dense width relu } -> dense half(width) }
model network(width, classes=10) {
  x = input 5
  hidden = x -> mlp width
  scores = hidden -> dense classes as fc
}
model small(classes=4) = network 8 classes { expect params == 1 + 1 }
"""
MIDDLE = 'use "lib.net": small\nlet depth = 1\nmodel tiny(classes=6) = small classes\n'
MAIN = """
use "middle.net": tiny
let depth = 7
fn half(n) = n * 3
block mlp(width) { dense width }
block network { relu }
model mine(k=half(1)) = tiny k
train fit for mine(k=half(1)) {
  label = input [] int64
  aux = hidden -> abs -> mean
  loss = ((scores, label) -> cross_entropy) * half(1) + aux
}
train direct for tiny(3) {
  label = input [] int64
  aux = hidden -> abs -> mean
  loss = ((scores, label) -> cross_entropy) * half(1) + aux
}
"""
ONE = """
block mlp(width) { repeat 2 { dense width relu } -> dense (width // 2) }
model mine {
  x = input 5
  hidden = x -> mlp 8
  scores = hidden -> dense 3 as fc
}
train fit for mine {
  label = input [] int64
  aux = hidden -> abs -> mean
  loss = ((scores, label) -> cross_entropy) * 3 + aux
}
"""


BOTH = "`classes` is a parameter of the train section and of its model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"lib.net": LIB, "middle.net": MIDDLE, "main.net": MAIN}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def trainings(path: Path, section: str, **choice: object) -> Training:
    analysis = analyze_training(SourceFile(str(path), path.read_text()), Choice(**choice), str(path), section)  # type: ignore[arg-type]
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    return analysis.training


def messages(folder: Path, text: str) -> list[str]:
    (folder / "wrong.net").write_text(text, encoding="utf-8")
    with pytest.raises(netc.CompileError) as error:
        netc.compile_file(folder / "wrong.net")
    return [line for d in error.value.diagnostics if d.severity == "error" for line in (d.message, *d.help)]


def test_a_derived_model_sees_the_names_of_its_own_files(folder: Path) -> None:
    assert is_same_program(netc.compile_file(folder / "main.net").program, netc.compile(ONE).program)
    assert is_same_program(
        netc.compile_file(folder / "main.net", params={"k": 9}).program, netc.compile(ONE.replace("dense 3", "dense 9")).program
    )


def test_an_imported_model_is_selected_by_its_name(folder: Path) -> None:
    tiny = netc.compile_file(folder / "main.net", model="tiny", params={"classes": 3})
    assert is_same_program(tiny.program, netc.compile(ONE).program)
    assert tiny.name == "tiny"


def test_it_is_written_as_one_file(folder: Path) -> None:
    text = bundle_text(netc.compile_file(folder / "main.net").program)
    assert "use " not in text
    assert is_same_program(netc.compile(text).program, netc.compile(ONE).program)


@pytest.mark.parametrize("section", ["fit", "direct"])
def test_a_section_for_a_model_of_another_file(folder: Path, section: str, tmp_path: Path) -> None:
    """The section uses the tensors of the model by their names, and its own file's `half`."""
    (tmp_path / "one.net").write_text(ONE, encoding="utf-8")
    alone = trainings(tmp_path / "one.net", "fit")
    assert is_same_program(trainings(folder / "main.net", section).program, alone.program)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('use "lib.net": small\nmodel m = network 3', "this file has no model `network`"),
        ('use "lib.net": small\ninput 5 -> mlp 4', "unknown operator or block `mlp`"),
        ('use "lib.net": small\nlet k = half(4)\ninput k -> relu', "`half` is not defined here"),
    ],
)
def test_other_names_of_the_file_stay_there(folder: Path, text: str, message: str) -> None:
    assert messages(folder, text)[0] == message


def test_a_use_without_names_imports_no_models(folder: Path) -> None:
    message, help_ = messages(folder, 'use "lib.net"\nmodel m = small 3')
    assert message == "this file has no model `small`"
    assert help_ == 'a `use` without names imports no models, so add `use "lib.net": small`'
    (folder / "mended.net").write_text('use "lib.net"\nuse "lib.net": small\nmodel m = small 3')
    assert netc.compile_file(folder / "mended.net").name == "m"


def test_files_that_use_each_other(folder: Path) -> None:
    (folder / "a.net").write_text('use "b.net": second\nmodel first = second\n')
    (folder / "b.net").write_text('use "a.net": first\nmodel second = first\n')
    with pytest.raises(netc.CompileError, match="circular `use`") as error:
        netc.compile_file(folder / "a.net")
    assert len(error.value.diagnostics) == 1


@pytest.mark.parametrize(
    ("section", "message", "help_"),
    [
        ("train small(classes=3) {", BOTH, "set the model's parameters after `for`: `train for small(classes=3)`"),
        ("train {", "this train section does not say which model it is for", "name the model: `train for small`"),
        ("train smal {", "this file has no model `smal` for the train section", "did you mean `small`?"),
        ("train for small(clases=3) {", "`small` has no argument `clases`", "did you mean `classes`?"),
        ("train for small 3 4 {", "too many arguments: `small` takes one positional argument", ""),
    ],
)  # fmt: skip
def test_sections_that_do_not_say_their_model(folder: Path, section: str, message: str, help_: str) -> None:
    source = SourceFile(
        "x.net", f'use "lib.net": small\n{section}\n  label = input [] int64\n  loss = (scores, label) -> cross_entropy\n}}\n'
    )
    analysis = analyze_training(source, Choice(), str(folder / "x.net"))
    assert [d.message for d in analysis.diagnostics if d.severity == "error"] == [message]
    assert "".join(analysis.diagnostics[0].help) == help_


def test_a_published_network_with_other_classes(tmp_path: Path) -> None:
    (tmp_path / "shapes.net").write_text('use "zoo/vision/resnet.net": resnet18\nmodel shapes = resnet18 classes=3\n')
    judge = torchvision.models.resnet18(num_classes=3).eval()
    module = netc.compile_file(tmp_path / "shapes.net").module(weights=judge.state_dict()).eval()
    x = torch.randn(2, 3, 40, 40)
    torch.testing.assert_close(module(x), judge(x), rtol=1e-4, atol=1e-5)


def definition_at(folder: Path, name: str, marked: str) -> str:
    text, path = (folder / name).read_text(), str(folder / name)
    workspace = Workspace()
    workspace.open_text(path, text)
    checked = workspace.check_text(path)
    assert checked is not None
    span = find_definition(checked, text.index(marked) + len(marked) - 1)
    assert span is not None
    line = span.file.text.count("\n", 0, span.start)
    return f"{Path(span.file.name).name}: {span.file.text.splitlines()[line].strip()}"


def test_the_language_server_finds_the_definitions(folder: Path) -> None:
    assert definition_at(folder, "main.net", 'use "middle.net": tiny') == "middle.net: model tiny(classes=6) = small classes"
    assert definition_at(folder, "main.net", "= tiny") == "middle.net: model tiny(classes=6) = small classes"
    assert definition_at(folder, "main.net", "train direct for tiny") == "middle.net: model tiny(classes=6) = small classes"
    assert definition_at(folder, "main.net", "aux = hidden") == "lib.net: hidden = x -> mlp width"
    assert definition_at(folder, "main.net", "loss = ((scores, label) -> cross_entropy) * half") == "main.net: fn half(n) = n * 3"


@pytest.mark.parametrize(
    ("file", "at"), [("lib.net", "model small"), ("lib.net", "  hidden"), ("main.net", "aux = hidden"), ("middle.net", "model tiny")]
)
def test_a_rename_reaches_the_other_files(folder: Path, file: str, at: str) -> None:
    workspace, text = Workspace(), (folder / file).read_text()
    checked = workspace.check_text(str(folder / file))
    assert checked is not None
    edits = make_rename(workspace, checked, text.index(at) + len(at) - 1, "other")
    assert {edit.span.text for edit in edits} == {at.split()[-1]}
    every = "".join((folder / name).read_text() for name in ("lib.net", "middle.net", "main.net"))
    assert len(edits) == sum(word == at.split()[-1] for word in re.findall(r"\w+", every))


def test_a_published_model_is_not_renamed(tmp_path: Path) -> None:
    path = tmp_path / "shapes.net"
    path.write_text('use "zoo/vision/resnet.net": resnet18\nmodel shapes = resnet18 classes=3\n')
    workspace = Workspace()
    checked = workspace.check_text(str(path))
    assert checked is not None
    with pytest.raises(RenameRefused, match="not yours to change"):
        make_rename(workspace, checked, path.read_text().rindex("resnet18"), "other")
