"""Models as stages: `x -> encoder 3`. The judges are torchvision, and the same stages in a block."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

import netc
from netc.compiler.ir.program_equality import is_same_program
from netc.service.workspace import Workspace

MODELS = """
let size = 4
fn half(n) = n // 2
model network(width, classes=10) {
  let n = size * 2
  default dense init=zeros
  x = input [H, n] where H >= 4
  x -> mean axis=1 -> dense half(width) relu -> dense classes as fc
}
model small(classes=4) = network 6 classes { expect params == 0 }
model pair(scale=2) { a = input [T]; b = input [2 * T] int64; out (a * scale), (b + 1) }
model list { xs = input 3 for i in 3; (xs -> stack axis=1) -> mean axis=1 }
model heads(aux=true) { x = input 3; y = x -> dense 2; if aux { if training { out y, (y * 2) } else { y } } else { y } }
"""
BLOCKS = """
block small(classes=4) { in -> mean axis=1 -> dense 3 relu init=zeros -> dense classes init=zeros as fc }
block pair(a: [_, T], b: [_, S], scale=2) { out (a * scale), (b + 1) }
block list(xs...) { (xs -> stack axis=1) -> mean axis=1 }
"""
SAME = [
    "input 5x8 -> small",
    "input 5x8 -> small 7 as body -> dense 3",
    "x = input [H, 8] where H > 3\nx -> small classes=2 -> dense 2 init=ones",
    "a = input 5x8; b = input 6x8\nshared s = small 3\n(a -> s) + (b -> s)",
    "a = input 3; b = input 6 int64\n(p, q) = (a, b) -> pair 5\nq -> cast float32 -> dense 3 -> sub other=p",
    "a = input [T]; b = input [2 * T] int64\n(a, b) -> pair",
    "a = input 3; b = input 6 int64\n(p, q) = a -> pair b=b\np",
    "a = input 3; b = input 3; c = input 3\n(a, b, c) -> list -> dense 2",
    "block app(f) { f as f }\ninput 5x8 -> app (small classes=7)",
    "x = input [T, 5, 8]\nx -> reshape [N * T, 5, 8] -> small 3 -> reshape [N, T, 3]",
    "input 5x8 -> repeat 2 { small 8 -> reshape [N, 1, 8] -> expand [N, 5, 8] }",
    "input 5x8 -> small 3 trainable=false -> dense 2",
]


CANNOT_BE = "the model `{}` cannot be this stage"
OMIT = "its parameter may leave out the results of training: `aux=false`"
STATE = "if this is always true, state it where the dimension is declared: `where H >= 4`"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.net").write_text(MODELS, encoding="utf-8")
    return tmp_path


def compiled(folder: Path, text: str, use: str = "small, pair, list, heads") -> netc.Model:
    (folder / "main.net").write_text(f'use "models.net": {use}\n{text}\n', encoding="utf-8")
    return netc.compile_file(folder / "main.net")


@pytest.mark.parametrize("text", SAME)
def test_a_model_is_what_a_block_of_its_stages_is(folder: Path, text: str) -> None:
    model, block = compiled(folder, text), netc.compile(f"{BLOCKS}\n{text}\n")
    assert is_same_program(model.program, block.program)
    assert is_same_program(netc.compile(model.source("net")).program, block.program)


def test_a_published_network_as_a_stage(tmp_path: Path) -> None:
    (tmp_path / "net.net").write_text(
        'use "zoo/vision/resnet.net": resnet18\nimage = input 3x40x40\nimage -> resnet18 classes=3 as body -> relu\n', encoding="utf-8"
    )
    judge = torchvision.models.resnet18(num_classes=3).eval()
    weights = {f"body.{name}": value for name, value in judge.state_dict().items()}
    module = netc.compile_file(tmp_path / "net.net").module(weights=weights).eval()
    x = torch.randn(2, 3, 40, 40)
    torch.testing.assert_close(module(x), judge(x).relu(), rtol=1e-4, atol=1e-5)


def test_defaults_stay_in_their_model(folder: Path) -> None:
    """Each `dense` of the model is zero, and the others are not, even the ones in a block that both use."""
    (folder / "blocks.net").write_text("block layer { dense 8 }\n")
    (folder / "zero.net").write_text('use "blocks.net": layer\nmodel zero { default dense init=zeros; input 8 -> layer }\n')
    text = "model main { default dense init=ones; input 8 -> layer as a -> zero -> layer as c }\n"
    (folder / "main.net").write_text('use "zero.net": zero\nuse "blocks.net": layer\n' + text)
    weights = netc.compile_file(folder / "main.net").module(seed=0).state_dict()
    values = {name: value.unique().tolist() for name, value in weights.items() if value.ndim == 2}
    assert values == {"a.dense1.weight": [1.0], "zero1.layer1.dense1.weight": [0.0], "c.dense1.weight": [1.0]}


def test_a_model_inside_itself(folder: Path) -> None:
    text = "model deep(n=2) { x = input 3; x -> if n > 0 { dense 3 -> deep (n - 1) } else { relu } }\nmodel main { input 3 -> deep 3 }\n"
    (folder / "main.net").write_text(text)
    module = netc.compile_file(folder / "main.net").module(seed=0)
    assert sum(p.ndim == 2 for p in module.parameters()) == 3


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        ("input 3x8 -> small", f"{CANNOT_BE.format('small')}: `H >= 4` does not hold", "give it a tensor of a size for which this holds"),
        ("input [H, 8] -> small", "cannot decide at compile time whether `H >= 4`", STATE),
        ("input 5x9 -> small", "`x` of `small` must be [N, 5, 8], found [N, 5, 9]", ""),
        ("input 8 -> small", "`x` of `small` must be [N, H, n], found [N, 8]", ""),
        ("input [5, 8] int64 -> small", "`x` of `small` must be [N, 5, 8], found int64 [N, 5, 8]", ""),
        ("a = input 3; b = input 6; (a, b) -> pair", "`b` of `pair` must be int64 [N, 6], found [N, 6]", ""),
        ("a = input 3; b = input 5 int64; (a, b) -> pair", "`b` of `pair` must be int64 [N, 6], found int64 [N, 5]", ""),
        ("a = input 3; a -> pair", "`pair` takes 2 tensors, `a` and `b`, found 1", "pass it a tuple: `(a, b) -> pair`"),
        ("a = input 3; (a, a) -> list", "`list` takes 3 tensors for `xs`, found 2", ""),
        ("input 3 -> heads", f"{CANNOT_BE.format('heads')}: its results in training are others than in evaluation", OMIT),
        ("input 5x8 -> small clases=3", "`small` has no argument `clases`", "did you mean `classes`?"),
    ],
)  # fmt: skip
def test_what_the_inputs_declare_must_hold(folder: Path, text: str, message: str, help_: str) -> None:
    """The error is at the use, in the user's file."""
    with pytest.raises(netc.CompileError) as error:
        compiled(folder, text)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.message == message
    assert help_ in diagnostic.help or not help_
    assert diagnostic.span.file.name == str(folder / "main.net")


def test_the_advice_is_right(folder: Path) -> None:
    compiled(folder, "x = input [H, 8] where H >= 4\nx -> small")
    compiled(folder, "input 3 -> heads aux=false")


def test_an_edited_model_is_checked_again(folder: Path) -> None:
    """The language server keeps bodies from one version of the text to the next."""
    workspace, path = Workspace(), str(folder / "x.net")
    types = []
    for classes, init in (3, "ones"), (5, "ones"), (5, "zeros"):
        text = f"block layer {{ dense {classes} }}\nmodel part {{ default dense init={init}; input 8 -> layer }}\n"
        text += "model x { input 8 -> part -> relu }\n"
        workspace.open_text(path, text)
        checked = workspace.check_text(path)
        assert checked is not None
        program = checked.find_view("x").program
        assert program is not None
        assert is_same_program(program, netc.compile(text, model="x").program)
        types.append(program.main.outputs[0].type.shape[-1])
    assert types == [3, 5, 5]
