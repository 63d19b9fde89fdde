"""`netc zoo`, `use "zoo/..."` and `netc.zoo`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netc as package
from netc.files.published_specs import find_or_raise, list_paths, list_published

Netc = Callable[..., Any]
Write = Callable[[str, str], Path]
SPECS = Path(__file__).parents[2] / "specs"


def test_every_spec_is_listed(netc: Netc) -> None:
    done = netc("zoo")
    assert done.exit_code == 0
    assert all(path in done.stdout for path in list_paths())
    assert "resnet50" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert set(list_paths()) == {p.relative_to(SPECS).as_posix() for p in SPECS.rglob("*.net") if p.parent.name != "std"}


def test_a_model_has_one_file() -> None:
    names = [model for entry in list_published() for model in entry.complete]
    assert len(names) == len(set(names))
    for entry in list_published():
        assert {find_or_raise(model)[0] for model in entry.complete} == {entry.path}


@pytest.mark.parametrize("name", ["resnet50", "vision/resnet.net", "vision/resnet", "resnet", "zoo/vision/resnet.net"])
def test_a_spec_is_printed(netc: Netc, name: str) -> None:
    assert netc("zoo", name).stdout == (SPECS / "vision/resnet.net").read_text(encoding="utf-8")
    assert Path(netc("zoo", "--path", name).stdout.strip()) == SPECS / "vision/resnet.net"


def test_what_is_not_there(netc: Netc) -> None:
    done = netc("zoo", "resnet51")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "did you mean `resnet50`" in done.stderr
    assert netc("zoo", "../../etc/passwd").exit_code == 1


def test_a_spec_uses_one(netc: Netc, write: Write) -> None:
    """So do the specs themselves: mistral.net uses llama.net, next to it, and that `std/attention.net`."""
    write("a.net", 'use "zoo/text/mistral.net": network\nmodel small = network 64 2 4 2 128 100')
    done = netc("check", "a.net")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no errors\n")
    write("b.net", 'use "zoo/vision/resne.net": stem\ninput 3x8x8 -> stem')
    done = netc("check", "b.net")
    assert done.exit_code == 1
    assert "did you mean `zoo/vision/resnet.net`?" in done.stdout + done.stderr
    write("c.net", 'use "zoo/../setup.net": stem\ninput 3x8x8 -> stem')
    assert netc("check", "c.net").exit_code == 1


def test_from_python() -> None:
    """torchvision's number of parameters."""
    model = package.zoo("resnet18", params={"classes": 10}, dims={"H": 32, "W": 32})
    assert str(model.inputs["input"]) == "[N, 3, 32, 32]"
    assert package.zoo("resnet18").summary().totals.parameters == 11_689_512
    with pytest.raises(ValueError, match="no spec `resnet19`"):
        package.zoo("resnet19")
    with pytest.raises(TypeError, match="must be a str, not int"):
        package.zoo(18)  # type: ignore[arg-type]
