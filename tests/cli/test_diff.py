"""`netc diff`: stages added, removed and changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Netc = Callable[..., Any]
Write = Callable[[str, str], Path]
BEFORE = "x = input 4; x -> dense 8 as a -> relu as r -> dense 8 as b -> dense 2 as head"


def changes(netc: Netc, write: Write, before: str, after: str) -> dict[str, tuple[str, dict[str, list[str]]]]:
    write("a.net", before)
    write("b.net", after)
    done = netc("diff", "a.net", "b.net", "--json")
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    return {one["path"]: (one["change"], one["differences"]) for one in (*data["ends"], *data["stages"])}


def test_nothing_differs(netc: Netc, write: Write) -> None:
    assert changes(netc, write, BEFORE, BEFORE.replace("; ", "\n")) == {}
    assert netc("diff", "a.net", "b.net").stdout.startswith("no stage differs\n")


def test_added_removed_changed(netc: Netc, write: Write) -> None:
    """`b` is 8 * 16 + 16 parameters instead of 8 * 8 + 8, so the head is 16 * 2 + 2 instead of 8 * 2 + 2."""
    after = "x = input 4; x -> dense 8 as a -> dense 16 as b -> tanh as t -> dense 2 as head"
    found = changes(netc, write, BEFORE, after)
    assert {path: kind for path, (kind, _) in found.items()} == {"r": "removed", "b": "changed", "t": "added", "head": "changed"}
    assert found["b"][1]["stage"] == ["dense 8", "dense 16"]
    assert found["b"][1]["result"] == ["[N, 8]", "[N, 16]"]
    assert found["b"][1]["parameters"] == ["72", "144"]
    assert found["head"][1]["parameters"] == ["18", "34"]
    assert "stage" not in found["head"][1]


def test_arguments_that_change_no_shape(netc: Netc, write: Write) -> None:
    found = changes(netc, write, "input 4 -> layer_norm as n", "input 4 -> layer_norm eps=0.1 as n")
    assert found == {"n": ("changed", {"stage": ["layer_norm", "layer_norm eps=0.1"]})}


def test_rounded_quotients_of_sizes_have_names(netc: Netc, write: Write) -> None:
    """`H2` is a symbol of the second model, so the quotient has another name."""
    write("a.net", "x = input 3xHxW\nx -> conv 4 3x3 stride=2 padding=1")
    write("b.net", "x = input 3xHxW; y = input [H2]\nz = x -> conv 8 3x3 stride=2 padding=1\nout z, y")
    shown = netc("diff", "a.net", "b.net").stdout
    assert "[N, 4, H2_, W2] -> [N, 8, H2_, W2]" in shown
    assert shown.endswith("where          H2_ = (H + 1)//2, W2 = (W + 1)//2\n")
    assert "(H + 1)//2" in netc("diff", "a.net", "b.net", "--json").stdout


def test_within_blocks_and_loops(netc: Netc, write: Write) -> None:
    """One change inside of equal iterations is one change."""
    text = "block b(act) { dense 8 as d -> act as a }\ninput 8 -> repeat 5 as layers { b relu as b }"
    assert changes(netc, write, text, text.replace("b relu", "b tanh")) == {"layers.0.b.a": ("changed", {"stage": ["relu", "tanh"]})}
    assert changes(netc, write, text, text.replace("repeat 5", "repeat 7")) == {"layers.0": ("changed", {"number": ["5", "7"]})}


def test_inputs_and_outputs(netc: Netc, write: Write) -> None:
    found = changes(netc, write, "x = input 4\ny = x -> relu\nout y", "z = input 5\ny = z -> relu\nout y")
    assert found["x"][0] == "removed"
    assert found["z"][0] == "added"
    assert found["y"] == ("changed", {"type": ["[N, 4]", "[N, 5]"]})


def test_two_models_of_one_file(netc: Netc) -> None:
    """torchvision's numbers of parameters."""
    path = netc("zoo", "--path", "resnet50").stdout.strip()
    done = netc("diff", path, path, "--model", "resnet50", "--other-model", "resnet101")
    assert "25,557,032 -> 44,549,160" in done.stdout
    assert "~ layer3.1\n    number  5 -> 22\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_wrong_usage(netc: Netc, write: Write) -> None:
    write("a.net", BEFORE)
    assert netc("diff", "a.net").exit_code == 2
    assert netc("diff", "-", "-").exit_code == 2
    assert netc("diff", "a.net", "b.net").exit_code == 1
    write("b.net", "input 3 -> dens 2")
    done = netc("diff", "a.net", "b.net")
    assert (done.exit_code, done.stdout) == (1, "")


def test_many_stages(netc: Netc, write: Write) -> None:
    text = "input 8" + "".join(f" -> dense {8 + i % 2} as s{i}" for i in range(2000))
    found = changes(netc, write, text, text.replace("dense 8 as s1500 ", "dense 8 as t1500 "))
    assert {path: kind for path, (kind, _) in found.items()} == {"s1500": "removed", "t1500": "added"}
