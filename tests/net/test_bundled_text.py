"""`--target net` of a text: the definitions that its model uses, as they are written, in one file. The judge is the graph of that file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from zoo.small import SMALL

import netc
from netc.compiler.backends.net.bundled_text import CannotBundle, bundle_text
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.elaborate import complete_models
from netc.compiler.ir.program_equality import is_same_program
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

SPECS = Path(__file__).parents[2] / "specs"
FILES = {
    "lib.net": """
# Twice the scale of this file.
let scale = 2
block head(width) { dense (width * scale) }
block half(x: [..., D]) { x -> dense (D // 2) }
block relu6(width) { dense width -> relu -> clamp max=6 }   # has the name of an operator
fn twice(v) = scale * v
block unused { relu }
""",
    "mid.net": """
use "lib.net": head, twice
let scale = 3
block tower(width, act=relu) { head width as head -> act -> dense twice(width) -> dense scale }
""",
    "main.net": """
use "mid.net": tower
use "lib.net": relu6, half

let scale = 5
let (a, b) = [6, 7]
block head { dense scale as head }

# Widens what it gets.
block wide(width, n) { repeat n { dense width } }

model base(width, depth=2, act=relu, hidden=4 * width, names=[1, 2], bias="no") {
  expect params > 3
  x = input [T, 8] where T >= 1
  h = x -> tower width act=act -> head -> relu6 hidden -> wide b depth
  y = h -> half -> dense names[1] bias=(bias == "yes") as out
}
model middle(size=a, depth=3) = base size depth hidden=(size + depth)
model top(depth=4) = middle size=(depth * 2) depth=(depth + 1) { expect params > depth }
model other(act=(leaky_relu 0.2)) = base 4 act=act

train for top { target = input [T, 2]; loss = (y, target) -> mse_loss }
""",
}
CHOICES: list[tuple[str, dict[str, object], str]] = [
    ("top", {}, 'model top(width=(4 * 2), depth=(4 + 1), act=relu, hidden=((4 * 2) + (4 + 1)), names=[1, 2], bias="no") {'),
    ("top", {"depth": 1}, 'model top(width=(1 * 2), depth=(1 + 1), act=relu, hidden=((1 * 2) + (1 + 1)), names=[1, 2], bias="no") {'),
    ("middle", {}, 'model middle(width=a, depth=3, act=relu, hidden=(a + 3), names=[1, 2], bias="no") {'),
    ("other", {}, 'model other(width=4, depth=2, act=(leaky_relu 0.2), hidden=4 * width, names=[1, 2], bias="no") {'),
    ("other", {"act": "tanh"}, 'model other(width=4, depth=2, act=tanh, hidden=4 * width, names=[1, 2], bias="no") {'),
    ("base", {"width": 3, "names": (4, 5), "bias": "yes"}, 'model base(width=3, depth=2, act=relu, hidden=4 * width, names=[4, 5], b'),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("model", "params", "head"), CHOICES)
def test_several_files_are_one(model: str, params: dict[str, object], head: str, folder: Path) -> None:
    made = netc.compile_file(folder / "main.net", model=model, params=params)
    text = made.source("net")
    assert "".join(head.split()) in "".join(text.split())  # a long head is several lines
    again = netc.compile(text)
    assert is_same_program(made.program, again.program)
    assert list(again.parameters) == list(made.parameters)
    assert again.name == model
    assert re.findall(r"^block (\w+)", text, re.MULTILINE) == ["head2", "half", "relu6", "tower", "head", "wide"]
    assert "# Widens what it gets.\nblock wide(width, n)" in text
    assert "# Twice the scale of this file." in text
    assert "unused" not in text
    assert "train" not in text
    assert "use " not in text


def test_expectations_hold_for_the_values_of_the_text(folder: Path) -> None:
    """A base's expectations may hold for its own defaults alone, and a model's may not hold for the values that are set."""
    whole = {(model, bool(params)): netc.compile_file(folder / "main.net", model=model, params=params) for model, params, _ in CHOICES}
    assert "expect params > 4" in whole["top", False].source("net")
    assert "expect" not in whole["top", True].source("net")
    assert "expect" not in whole["other", False].source("net")


def test_expectations_are_written_once() -> None:
    text = "model m {\n  input 3 -> dense 2\n  expect params == 8\n}\nmodel n = m { expect params > 7 }\n"
    assert netc.compile(text, model="m").source("net").count("expect") == 1
    derived = netc.compile(text, model="n").source("net")
    assert (derived.count("expect"), "params > 7" in derived) == (1, True)


def test_a_file_without_a_model() -> None:
    text = "let width = 4\nlet rest = width * 2\nlet unused = 3\n\n# Halves.\nblock f(n) { dense (n // 2) }\nx = input 3\nx -> f rest"
    assert netc.compile(text, params={"width": 6}).source("net") == (
        "let width = 6\nlet rest = width * 2\n\n# Halves.\nblock f(n) { dense (n // 2) }\n\nx = input 3\nx -> f rest\n"
    )


def test_the_results_are_the_same(folder: Path) -> None:
    made = netc.compile_file(folder / "main.net", model="top")
    module = made.module(seed=3)
    again = netc.compile(made.source("net")).module(weights=module.state_dict())
    x = torch.cat([torch.randn(2, 5, 8), torch.full((1, 5, 8), 1000.0), torch.full((1, 5, 8), torch.nan)])
    assert torch.equal(again(x).nan_to_num(7), module(x).nan_to_num(7))


def test_blocks_of_one_name_that_keys_depend_on_are_found_in_the_graph(folder: Path) -> None:
    """Another name of the block would change the key `head1.weight`."""
    mid = FILES["mid.net"].replace(" as head", "")
    (folder / "mid.net").write_text(mid, encoding="utf-8")
    made = netc.compile_file(folder / "main.net", model="top")
    with pytest.raises(CannotBundle, match="its names mean something else in one file"):
        bundle_text(made.program)
    assert made.source("net") == write_program(made.program)
    assert list(netc.compile(made.source("net")).parameters) == list(made.parameters)


def test_what_is_not_in_the_text_is_written_from_the_graph(tmp_path: Path) -> None:
    text = "input [T, 3] -> dense 2"
    assert netc.compile(text, dims={"T": 4}).source("net") == "input 4x3 -> dense 2 as dense1\n"
    assert "float16" in netc.compile(text, dtype="float16").source("net")
    assert netc.compile(text).source("net") == "input [T, 3] -> dense 2\n"


PUBLISHED = sorted(path for path in SPECS.rglob("*.net") if re.search(r"^model ", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
@pytest.mark.sample(12)
def test_published_blocks_are_those_of_the_text(path: Path) -> None:
    """Of each file the first model."""
    file, _ = parse_source(SourceFile(path.name, path.read_text(encoding="utf-8")))
    made = netc.compile_file(path, model=complete_models(file)[0])
    text = made.source("net")
    assert text == bundle_text(made.program)
    own = {block for file in SPECS.rglob("*.net") for block in re.findall(r"^block (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)}
    assert own >= set(re.findall(r"^block (\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.sample(10)
def test_small_models_of_the_zoo(name: str) -> None:
    made = SMALL[name].compiled()
    assert is_same_program(made.program, netc.compile(bundle_text(made.program)).program)
