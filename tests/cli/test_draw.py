"""`netc draw`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Netc = Callable[..., Any]
Write = Callable[[str, str], Path]
TEXT = "block b { dense 4 relu -> dense 4 }\nx = input 4; x -> b as one -> relu -> b as two"


@pytest.mark.parametrize(("suffix", "begins"), [("svg", "<svg"), ("html", "<!doctype html>"), ("mmd", "flowchart"), ("dot", "digraph")])
def test_the_ending_chooses_the_format(netc: Netc, folder: Path, suffix: str, begins: str) -> None:
    done = netc("draw", "-e", TEXT, "-o", f"a.{suffix}")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"wrote a.{suffix}\n")
    assert (folder / f"a.{suffix}").read_text(encoding="utf-8").startswith(begins)


def test_part_of_a_model_in_another_depth(netc: Netc, folder: Path) -> None:
    assert netc("draw", "-e", TEXT, "-o", "a.mmd", "--depth", 0).exit_code == 0
    assert "subgraph" not in (folder / "a.mmd").read_text()
    assert netc("draw", "-e", TEXT, "-o", "a.mmd", "--at", "one").exit_code == 0
    assert "dense2" in (folder / "a.mmd").read_text()


def test_themes(netc: Netc, folder: Path) -> None:
    for theme in ("auto", "light", "dark"):
        assert netc("draw", "-e", TEXT, "-o", f"{theme}.svg", "--theme", theme).exit_code == 0
    texts = {theme: (folder / f"{theme}.svg").read_text() for theme in ("auto", "light", "dark")}
    assert "prefers-color-scheme" in texts["auto"]
    assert "prefers-color-scheme" not in texts["light"] + texts["dark"]
    assert texts["light"] != texts["dark"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "a.xyz"), "not a name for a picture: it ends neither in .svg"),
        (("-o", "a.net"), "not a name for a picture"),
        (("-o", "a.svg", "--at", "three"), "has no stage `three`"),
        (("-o", "a.svg", "--at", "one.dense1"), "nothing is inside `one.dense1`"),
        ((), "Missing option"),
    ],
)
def test_wrong_usage(netc: Netc, folder: Path, words: tuple[str, ...], message: str) -> None:
    done = netc("draw", "-e", TEXT, *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert list(folder.iterdir()) == []


def test_what_is_wrong_is_not_drawn(netc: Netc, folder: Path) -> None:
    done = netc("draw", "-e", "input 3 -> dens 2", "-o", "a.svg")
    assert done.exit_code == 1
    assert "unknown" in done.stderr
    assert list(folder.iterdir()) == []


def test_without_the_package_for_png(netc: Netc, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    done = netc("draw", "-e", TEXT, "-o", "a.png")
    assert done.exit_code == 1
    assert "needs the package resvg-py" in done.stderr
    assert "run `pip install resvg-py`" in done.stderr
    assert list(folder.iterdir()) == []


def test_two_files(netc: Netc, folder: Path, write: Write) -> None:
    write("a.net", TEXT)
    write("b.net", TEXT.replace("dense 4 relu", "dense 5 relu"))
    assert netc("draw", "a.net", "b.net", "-o", "d.svg").exit_code == 0
    assert ' changed"' in (folder / "d.svg").read_text()
    assert netc("draw", "a.net", "a.net", "-o", "d.svg").exit_code == 0
    assert ' changed"' not in (folder / "d.svg").read_text()
    assert netc("draw", "a.net", "b.net", "-o", "b.net").exit_code == 2
