"""What becomes a sequential, a list or a class; the keys of the state dict are the labels whatever it becomes."""

from __future__ import annotations

import ast
from typing import Any

import pytest

import netc
from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.python.code.class_tree import NameCode
from netc.compiler.backends.python.code.classes import ClassBody
from netc.compiler.backends.python.code.python_expressions import call_function
from netc.compiler.backends.torch.torch_framework import TORCH
from tests.parity import agree

SAMPLES = {
    "chain": "input 4 -> (dense 8 relu -> dropout 0.5 -> dense 2) as head",
    "named chain": "input 4 -> (dense 8 as up -> relu as act -> dense 2 as down) as mlp",
    "chain in chain": "input 4 -> repeat 3 as a { repeat 2 as b { dense 4 -> tanh } -> relu }",
    "empty chain": "input 4 -> repeat 0 as a { dense 4 } -> dense 2",
    "alone in a class": "x = input [T, 3]; shared rest = drop_path 0.3; "
    "x + (x -> (dense 3 -> drop_path 0.1) as branch) -> drop_path 0.2 -> rest -> dense 3 -> rest",
    "function in chain": "input 3x4x4 -> (conv 8 1 -> permute [0, 2, 3, 1] -> layer_norm -> relu) as stem -> flatten -> dense 2",
    "functions in rows": "block swap { in -> dense 6 as 0 -> transpose 1 2 -> dense 8 as 2 -> permute [0, 2, 1] -> relu }; "
    "x = input [5, 4]; y = x -> dense 5 -> permute [0, 2, 1] -> flatten -> dense 3; "
    "z = input [2, 5, 4] -> (permute [0, 3, 2, 1] -> layer_norm -> dense 3 -> sin) as last -> flatten -> dense 3; "
    "(x -> swap -> swap -> flatten -> dense 3) + y + z",
    "residual iterations": "input [T, 6] -> repeat 3 as layers { in + (in -> layer_norm -> dense 6 gelu) } -> dense 2",
    "indexed labels": "input 4 -> repeat i in 0..3 as layer{i + 1} { dense 4 -> relu } -> dense 2",
    "list with captures": "x = input 4; m = input 4; x -> repeat 5 as layers { in * m -> dense 4 tanh }",
    "first differs in list": "x = input 3; m = input 4; "
    "x -> dense 4 -> repeat i in 0..3 as layers { in + m -> dense 4 -> dropout (i / 4.0) }",
    "two states": "block s(h: [N, D], c: [N, D]) { out (h + c -> dense D), (h * c) }; a = input 4; b = input 4; "
    "(h, c) = (a, b) -> repeat 3 as steps { s }; h - c",
    "swapped states": "block s(p: [N, D], q: [N, D]) { out (q -> dense D), p }; a = input 4; b = input 4; "
    "(c, d) = (a, b) -> repeat 3 as layers { s }; (c, d) -> concat axis=1",
    "branches": "input 4 -> each w in [2, 3, 5] as heads { dense w -> relu } -> concat axis=1",
    "branches of functions": "x = input 4; "
    "(a, b) = x -> each w in [2, 3] as heads { h = in -> dense w; h + (h -> sin) }; (a, b) -> concat axis=1",
    "branches with captures": "x = input 4; m = input 4; x -> each i in 0..3 as heads { in * m -> dense 2 } -> concat axis=1",
    "parameters in a sequence": "input 4 -> repeat 2 as layers { p = param [4] init=ones as gain; in * p + (param [4]) -> dense 4 }",
    "tables": "x = input [T, 4]; g = table (i, j) [4, 4] = i * 4 + j as grid; "
    "p = table (t, k) [T, 4] = sin(t / 9 ** (k / 4)); x + p + (g -> select axis=0 index=1)",
    "a layer": "block layer(w) { conv w 1x1 as 0 -> batch_norm as 1 -> relu }; "
    "input 3x4x4 -> (layer 4 -> layer 5) as both -> layer 6 as last",
    "a layer that ends with nothing": "block layer(act) { dense 4 as 0 -> act }; input 3 -> layer relu -> layer identity",
    "layers of layers": "block layer { dense 4 as 0 -> relu }; block stage { repeat i in 0..3 as {i} { layer } }; "
    "input 3 -> stage -> stage",
    "not a layer": "block layer { dense 4 as 1 -> relu -> dense 4 as 0 }; input 3 -> layer",
    "numbers in labels": "input 4 -> (dense 4 as fc0 -> relu -> dense 4 as fc1 -> dropout 0.5 -> relu -> dense 4 as end) as head",
    "labels in a row": "input 4 -> (repeat i in 0..4 as layer{i + 1} { dense (8 + 4 * i) }) as a "
    "-> (repeat i in 0..3 as s{i}-x { dense (10 - i) }) as b",
    "steps in a row": "input 4 -> (repeat i in 0..7 { dropout (i / 9.0) -> dense (5 * (i + 1)) -> relu }) as a -> dense 2",
    "a tree": "block tree(n, w) { l = in -> if n > 1 { tree (n - 1) w as l } else { dense w relu as l }; "
    "r = l -> if n > 1 { tree (n - 1) w as r } else { dense w relu as r }; (l, r) -> concat axis=1 -> dense w as root }; "
    "input 3 -> tree 3 4",
    "levels": "block level(widths) { side = in -> dense widths[0] as enter; "
    "deep = side -> if len(widths) > 1 { relu -> level widths[1..len(widths)] as below -> dense widths[0] as leave }; "
    "side + deep -> repeat widths[0] as layers { dense widths[0] relu -> layer_norm } }; input 3 -> level [2, 3, 4]",
    "a stage in itself": "block residual(layer) { in + (in -> layer) }; block small { dense in.features tanh }; "
    "block pair { residual small -> residual small }; input 3 -> residual pair -> residual (residual (residual small))",
    "no parameters": "input 4 -> relu",
    "nothing": "x = input 4; out x",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_agrees(text: str) -> None:
    agree(netc.compile(text))


@pytest.mark.share(2)
@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_state_dict(text: str) -> None:
    model = netc.compile(text)
    assert list(model.module().state_dict()) == list(collect_parameters(model.program))


def members(text: str) -> dict[str, str]:
    """The attributes that the constructors set, with the code they set them to."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(netc.compile(text).source())):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            found[node.targets[0].attr] = ast.unparse(node.value)
    return found


def classes(text: str) -> list[str]:
    return [node.name for node in ast.parse(netc.compile(text).source()).body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize(
    ("sample", "attribute", "code"),
    [
        ("chain", "head", "nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))"),
        (
            "named chain",
            "mlp",
            "nn.Sequential(OrderedDict(up=nn.Linear(4, 8), act=nn.ReLU(), down=nn.Linear(8, 2)))",
        ),
        ("list with captures", "layers", "nn.ModuleList((Layer() for _ in range(5)))"),
        ("a layer", "both", "nn.Sequential(Layer(3, 4), Layer(4, 5))"),
        ("layers of layers", "stage2", "nn.Sequential(*(Layer(4) for _ in range(3)))"),
        (
            "numbers in labels",
            "head",
            "nn.Sequential(OrderedDict(fc0=nn.Linear(4, 4), relu0=nn.ReLU(), fc1=nn.Linear(4, 4), "
            "dropout1=nn.Dropout(0.5), relu1=nn.ReLU(), end=nn.Linear(4, 4)))",
        ),
        (
            "labels in a row",
            "a",
            "nn.Sequential(OrderedDict(((f'layer{i + 1}', nn.Linear(4 + 4 * i, 8 + 4 * i)) for i in range(4))))",
        ),
        (
            "labels in a row",
            "b",
            "nn.Sequential(OrderedDict([('s0-x', nn.Linear(20, 10)), ('s1-x', nn.Linear(10, 9)), ('s2-x', nn.Linear(9, 8))]))",
        ),
        ("two states", "steps", "nn.ModuleList((S() for _ in range(3)))"),
        ("branches", "heads", "nn.ModuleList((nn.Sequential(nn.Linear(4, out_features), nn.ReLU()) for out_features in (2, 3, 5)))"),
        ("branches of functions", "heads", "nn.ModuleList([Head(2), Head(3)])"),
        ("alone in a class", "branch", "nn.Sequential(nn.Linear(3, 3), DropPath(0.1))"),
        ("alone in a class", "drop_path1", "DropPath(0.2)"),
        ("alone in a class", "rest", "DropPath(0.3)"),
        ("function in chain", "stem", "nn.Sequential(nn.Conv2d(3, 8, kernel_size=1), Permute(), nn.LayerNorm(8), nn.ReLU())"),
        ("functions in rows", "last", "nn.Sequential(Permute((0, 3, 2, 1)), nn.LayerNorm(2), nn.Linear(2, 3), Sin())"),
        ("residual iterations", "layers", "nn.Sequential(*(Layer() for _ in range(3)))"),
    ],
)
def test_constructor(sample: str, attribute: str, code: str) -> None:
    assert members(SAMPLES[sample])[attribute] == code


def test_runs() -> None:
    few = members("input 4 -> repeat 2 as a { dense 4 }")["a"]
    many = members("input 3 -> repeat 6 as a { dense 4 }")["a"]
    assert few == "nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))"
    assert many == "nn.Sequential(nn.Linear(3, 4), *(nn.Linear(4, 4) for _ in range(5)))"


def test_members_that_differ_in_one_number() -> None:
    code = members("let p = [0.0, 0.2, 0.3, 0.5]; input 4 -> repeat i in 0..4 as a { dense 4 -> dropout p[i] }")["a"]
    assert code == "nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Dropout(p)) for p in (0.0, 0.2, 0.3, 0.5)))"


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ("i / 4.0", "0.25 * i)) for i in range(4)"),
        ("0.2 * i / 11", "0.2 * i / 11)) for i in range(4)"),
        ("0.2 * (i + 3) / 11", "0.2 * i / 11)) for i in range(3, 7)"),
        ("0.5 - 0.1 * i", "0.5 - 0.1 * i)) for i in range(4)"),
        ("0.05 + 0.2 * i", "0.05 + 0.2 * i)) for i in range(4)"),
        ("0.5 ** i", "p)) for p in (1.0, 0.5, 0.25, 0.125)"),
    ],
)
def test_probabilities_in_equal_steps(p: str, expected: str) -> None:
    code = members(f"input 4 -> repeat i in 0..4 as a {{ dense 4 -> dropout ({p}) }}")["a"]
    assert code == f"nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Dropout({expected}))"


def test_a_probability_has_the_name_of_the_argument_that_it_is() -> None:
    text = "block b(rate) { in + (in -> dense 4 -> drop_path rate) }; input 4 -> repeat i in 0..4 { b (0.2 * i / 11) }"
    assert "rate: float" in netc.compile(text).source()
    assert "B(0.2 * i / 11) for i in range(4)" in netc.compile(text).source()


def test_deep_nesting() -> None:
    text = "dense 4"
    for _ in range(60):
        text = f"({text} -> relu) as inner"
    model = netc.compile(f"input 4 -> {text}")
    assert list(model.module().state_dict()) == list(collect_parameters(model.program))
    assert len(model.source()) < 60_000


def test_a_sequence_used_at_many_places_is_a_class() -> None:
    """Else the text would double with each level."""
    text = "dense 4"
    for level in range(9):
        text = f"repeat j in 0..2 as r{level} {{ dense (4 + j) -> {text} -> dense 4 }}"
    model = netc.compile(f"input 4 -> {text}")
    assert list(model.module().state_dict()) == list(collect_parameters(model.program))
    assert model.source().count("\n") < 1000


@pytest.mark.long
def test_many_members() -> None:
    repeated: Any = netc.compile("input 4 -> repeat 50_000 as hidden { in + (in -> dense 4 relu) }")
    assert len(repeated.source()) < 2000
    flat: Any = netc.compile("input 4 -> " + " -> ".join(["dense 4 relu"] * 1000))
    assert flat.source().count("self.dense1000") == 2


def test_names_of_classes() -> None:
    assert classes("block up(w) { in -> dense w -> sin }; input 3 -> up 4 -> up 5") == ["Up", "Net"]
    assert classes("block net(w) { in -> dense w }; input 3 -> net 4") == ["NetBlock", "Net"]
    assert classes("block tensor(w) { in -> dense w }; input 3 -> tensor 4") == ["Tensor2", "Net"]
    grown = "block b(w) { h = in -> dense w; h + (in -> if w > 4 { dense w as skip } else { dense w bias=false as skip }) }"
    assert classes(f"{grown}; input 3 -> b 4 -> b 5") == ["B", "Net"]
    either = "block b(w) { h = in -> dense w; s = in -> if in.features != w { dense w as skip }; h + s }"
    assert classes(f"{either}; input 3 -> b 4 -> b 4") == ["B", "Net"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            'block b(w, mode="plain") { y = in -> dense w; if mode == "sum" { in + y } else { y } }; input 3 -> b 4 -> b 4 mode="sum"',
            ["B", "BResidual"],
        ),
        ("block b(w, act) { in -> dense w as 0 -> act }; input 3 -> b 4 relu -> b 4 identity", ["B"]),
        (
            'block b(w, d="") { y = in -> dense w; if d == "x" { y -> sin -> cos -> dropout } else { y } }; input 3 -> b 4 d="x" -> b 4',
            ["BDropout", "B"],
        ),
        (
            "block b(w, shift=0) { y = in -> dense w; y -> if shift > 0.5 { in + 1 -> sin } }; input 3 -> b 4 -> b 4 shift=2",
            ["B", "BShift"],
        ),
        (
            'block b(w, mode) { y = in -> dense w; if mode == "first" { y -> sin -> cos } else { y -> cos -> sin } }; '
            'input 3 -> b 4 "first" -> b 4 "last"',
            ["B", "BLast"],
        ),
        (
            "block a(w) { y = in -> dense w; if w == in.features + 0.0 { in + y } else { y } }; "
            "block b(w) { in -> layer_norm -> a w -> layer_norm }; input 3 -> b 4 -> b 4",
            ["A", "B", "AResidual", "BResidual"],
        ),
        ("block b(w) { y = in -> dense w; if w > 4.5 { y -> sin -> cos } else { y -> cos -> sin } }; input 3 -> b 4 -> b 5", ["B", "B2"]),
        (
            "block b(w) { y = in -> dense w; if w > 4.5 { y -> sin -> cos } else { y -> cos -> sin } }; "
            "input 3 -> b 4 as up -> b 5 as down",
            ["B", "Down"],
        ),
    ],
)
def test_names_of_classes_of_one_block(text: str, names: list[str]) -> None:
    assert classes(text)[:-1] == names
    agree(netc.compile(text))


def test_a_pattern_is_written_alike_for_all_sizes() -> None:
    text = (
        'block b { rearrange "n (r i) (c j) d -> n (r c) (i j) d" i=2 j=2 -> dense in.features }; '
        "x = input [4, 4, 3]; y = input [2, 2, 3]; (x -> b -> mean axis=1) + (y -> b -> mean axis=1)"
    )
    assert classes(text) == ["B", "Net"]
    agree(netc.compile(text))


def test_levels_of_a_block_in_itself_are_one_class_or_numbered() -> None:
    assert classes(SAMPLES["a tree"]) == ["Tree", "Net"]
    assert classes(SAMPLES["levels"]) == ["Level", "Level2", "Level3", "Net"]


def test_code_of_a_row_of_modules_is_rewritten_too() -> None:
    graph = netc.compile("input 4 -> dense 4").program.main
    body = ClassBody(graph, TORCH)
    body.rewrite_code(lambda code: NameCode("b"))
    assert body.chain is None
    body.chain = call_function("nn.Sequential", NameCode("a"))
    body.rewrite_code(lambda code: NameCode("b") if code == NameCode("a") else None)
    assert body.chain == call_function("nn.Sequential", NameCode("b"))
