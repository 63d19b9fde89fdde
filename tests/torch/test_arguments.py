"""Uses of one block as one class: which literals become arguments of its constructor, and what they are called."""

from __future__ import annotations

import ast

import pytest

import netc
from tests.parity import agree


def signatures(text: str) -> dict[str, str]:
    """The arguments of each class's constructor."""
    found: dict[str, str] = {}
    for node in ast.parse(netc.compile(text).source()).body:
        if isinstance(node, ast.ClassDef):
            made = [m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"]
            found[node.name] = ast.unparse(made[0].args).removeprefix("self").removeprefix(", ") if made else ""
    return found


def calls(text: str, name: str) -> list[str]:
    """The calls of a class, in the order of writing."""
    tree = ast.parse(netc.compile(text).source())
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]
    return [ast.unparse(n) for n in sorted(found, key=lambda n: (n.lineno, n.col_offset))]


SAMPLES = {
    "named after the block's argument": (
        "block b(units) { in -> dense units tanh }; input 3 -> b 4 -> b 5",
        "in_features: int, units: int",
    ),
    "a multiple": (
        "block b(w) { in -> dense (4 * w) -> dense w }; input 3 -> b 4 -> b 5 -> b 7",
        "in_features: int, w: int",
    ),
    "a multiple of what has no name": (
        "block b() { in -> dense (2 * in.features) -> dense in.features }; x = input 3; y = input 5; (x -> b, y -> b) -> concat axis=1",
        "features: int",
    ),
    "no multiple of what is no width": (
        "block b(heads, k=3) { in -> conv (8 * heads) k padding=(k // 2) -> conv (2 * k) 1 }; input 4x9x9 -> b 4 k=3 -> b 2 k=5 -> b 6 k=7",
        "in_channels: int, heads: int, k: int=3",
    ),
    "a formula that the spec repeats": (
        'block b(k) { t = table (i) [6] = i // (k + 1); in * t -> rearrange "n (r c) -> n c r" r=(k + 1) -> flatten }; '
        "input 6 -> b 1 -> b 2",
        "k: int",
    ),
    "a formula that the spec names": (
        "block b(k) { let wide = k + 1; t = table (i) [6] = (i // wide) * (1 if i < 2 * k else 3); in * t }; input 6 -> b 1 -> b 2",
        "k: int",
    ),
    "a multiple of what comes in": (
        "block b { w = param [3 * in.features, in.features]; in @ transpose(w, 0, 1) }; input 2 -> b -> b",
        "in_features: int",
    ),
    "the same everywhere": ("block b(w) { in -> dense 7 -> dense w }; input 3 -> b 3 -> b 3", "w: int"),
    "left out where it has PyTorch's value": (
        "block b(w, stride=1) { in -> conv w 3 stride=stride padding=1 }; input 4x9x9 -> b 4 -> b 4 stride=2",
        "w: int, stride: int=1",
    ),
    "a keyword without": ("block b(k) { in -> conv 4 k }; input 4x9x9 -> b 3 -> b 2", "k: int"),
    "numbers with a fraction": ("block b(p) { in -> dropout p -> dense 4 }; input 4 -> b 0.25 -> b 0.5", "p: float"),
    "booleans": ("block b(bias) { in -> dense 4 bias=bias }; input 4 -> b true -> b false", "bias: bool=True"),
    "used in forward": (
        "block b(h) { in -> reshape [N, h, -1] -> softmax axis=-1 -> flatten }; input 12 -> b 3 -> b 4",
        "h: int",
    ),
    "tuples": ("block b(k) { in -> conv 4 k }; input 4x9x9 -> b [3, 2] -> b [1, 4]", "k: tuple[int, int]"),
}


@pytest.mark.parametrize(("text", "expected"), SAMPLES.values(), ids=SAMPLES.keys())
def test_signature(text: str, expected: str) -> None:
    model = netc.compile(text)
    assert signatures(text)["B"] == expected
    agree(model)


def test_arguments_flow_through() -> None:
    text = (
        "block inner(w) { in -> dense w -> sin }; block outer(w) { in -> inner (2 * w) -> inner w };"
        "input 3 -> outer 4 -> outer 5 -> outer 6"
    )
    assert signatures(text) == {"Inner": "in_features: int, w: int", "Outer": "in_features: int, w: int", "Net": ""}
    assert calls(text, "Inner") == ["Inner(in_features, 2 * w)", "Inner(2 * w, w)"]
    assert calls(text, "Outer") == ["Outer(3, 4)", "Outer(4, 5)", "Outer(5, 6)"]
    agree(netc.compile(text))


def test_depths() -> None:
    text = (
        "block cell(w) { in -> dense w -> sin }; block stage(w, depth) { in -> repeat depth as cells { cell w } };"
        "input 3 -> stage 4 1 -> stage 5 3 -> stage 6 2"
    )
    assert signatures(text)["Stage"] == "in_features: int, w: int, depth: int"
    assert calls(text, "Cell") == ["Cell(in_features, w)", "Cell(w, w)"]
    assert "for _ in range(depth - 1)" in netc.compile(text).source()
    agree(netc.compile(text))


def test_a_depth_by_a_formula() -> None:
    text = (
        "block cell() { in -> dense in.features -> sin }; block stage(w) { in -> dense w -> repeat (w - 2) as cells { cell } };"
        "input 3 -> stage 4 -> stage 5"
    )
    assert "for _ in range(w - 2)" in netc.compile(text).source()
    other = text.replace("(w - 2)", "(w // 2 * 3)").replace("stage 5", "stage 8")
    assert "for _ in range(3 * (w // 2))" in netc.compile(other).source()
    agree(netc.compile(other))


def test_a_depth_of_a_loop_that_is_written_out() -> None:
    """A list of lists is a class, in which each iteration is a statement: its number is no argument, and each depth a class of its own."""
    text = (
        "block b(x: [N, D], g: [N, D], depth) { x -> repeat depth as layers { repeat i in 0..2 as {i} { in * g -> dense 4 } } }; "
        "model m(depth=3) { x = input 4; g = input 4; y = (x, g) -> b depth; (y, g) -> b 4 }"
    )
    found = signatures(text)
    assert len([name for name in found if name.startswith("B")]) == 2
    assert found["M"] == ""
    agree(netc.compile(text))


def test_stored_arguments_keep_clear_of_labels() -> None:
    text = "block b(h) { in -> reshape [N, h, -1] -> softmax axis=-1 -> flatten -> dense 12 as h }; input 12 -> b 3 -> b 4"
    assert "self.h_ = h" in netc.compile(text).source()
    agree(netc.compile(text))


def test_probabilities_lose_the_noise_of_multiplying() -> None:
    source = netc.compile("input 3 -> dense 4 as a -> dropout (0.2 * 12 / 16) -> dense 4 as b -> drop_path (0.2 * 12 / 16)").source()
    assert source.count("0.15") == 2
    assert "0.1500" not in source


def test_tables_of_equal_numbers_depend_on_arguments_of_their_own() -> None:
    text = (
        "block a(w) { h = in; h + (table (i) [4] float32 = i * w) -> dense (2 * w) };"
        "block b(v) { h = in; h + (table (i) [4] float32 = i * v) -> dense v };"
        "model m(p=3, q=3) { x = input [4]; out x -> a p, x -> b q }"
    )
    source = netc.compile(text).source()
    assert "(torch.arange(4) * w)" in source
    assert "(torch.arange(4) * v)" in source
