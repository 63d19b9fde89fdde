"""`summary`, `explain`, `format`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from netc.cli import cli
from netc.compiler.ops import Operator
from netc.reference.error_pages import list_codes

Netc = Callable[..., Any]
Write = Callable[[str, str], Path]


def test_summary(netc: Netc) -> None:
    done = netc("summary", "-e", "input [T, 8] -> repeat 100 { dense 8 relu } -> dense 2")
    assert done.exit_code == 0
    assert "x 100" in done.stdout
    assert "7,218" in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_summary_of_what_is_wrong(netc: Netc) -> None:
    done = netc("summary", "-e", "input 3 -> dens 2")
    assert (done.exit_code, done.stdout) == (1, "")


def test_the_page_of_an_operator(netc: Netc) -> None:
    """In a pipe, as docs/operators/ has it."""
    for name in ("dense", "conv"):
        done = netc("ops", name)
        assert done.exit_code == 0
        assert done.stdout.strip() in (Path(__file__).parents[2] / "docs" / "operators" / f"{name}.md").read_text(encoding="utf-8")


def test_the_pages_of_all_operators(netc: Netc) -> None:
    """Each is the same as alone."""
    pages = netc("ops", "--markdown").stdout
    headings = {line.lstrip("# ") for line in pages.splitlines() if line.startswith("#")}
    assert {name for name, operator in Operator.registry.items() if operator.operands} <= headings
    for name in ("abs", "dense", "conv"):
        heading, _, page = netc("ops", name).stdout.strip().partition("\n")
        assert heading == f"# {name}"
        assert f"# {name}\n{page}" in pages


def test_explain(netc: Netc) -> None:
    listed = netc("explain").stdout.splitlines()
    assert [line.split()[0] for line in listed if line[0] != " "] == list_codes()
    assert all(len(line) <= 80 for line in listed)
    assert all(len(line) <= 80 for line in netc("ops").stdout.splitlines())
    done = netc("explain", "missing-file")
    assert done.exit_code == 0
    assert done.stdout.startswith("# missing-file")
    assert netc("explain", "error[missing-file]").stdout == done.stdout


def test_explain_what_is_not(netc: Netc) -> None:
    near = netc("explain", "mising-file")
    assert near.exit_code == 2
    assert "did you mean `missing-file`?" in near.stderr
    assert netc("explain", "../errors/missing-file").exit_code == 2


def test_format(netc: Netc, write: Write) -> None:
    path = write("a.net", "input   3->dense   2 # tiny\n")
    checked = netc("format", "--check", "a.net")
    assert (checked.exit_code, checked.stdout) == (1, "a.net\n")
    assert netc("format", "a.net").exit_code == 0
    assert path.read_text() == "input 3 -> dense 2  # tiny\n"
    assert netc("format", "--check", "a.net").exit_code == 0
    assert netc("format", "-", input="input   3->dense   2").stdout == "input 3 -> dense 2\n"


def test_format_leaves_what_is_wrong(netc: Netc, write: Write) -> None:
    bad = write("bad.net", "input  3 -> )")
    good = write("good.net", "input  3")
    done = netc("format", "bad.net", "good.net", "none.net")
    assert done.exit_code == 1
    assert bad.read_text() == "input  3 -> )"
    assert good.read_text() == "input 3\n"
    assert "bad.net:1:13" in done.stderr
    assert "none.net" in done.stderr


def test_every_option_says_what_it_does() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help, name
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or parameter.help, (name, parameter.name)  # type: ignore[attr-defined]


def test_summary_fits_eighty_columns(netc: Netc) -> None:
    spec = str(Path(__file__).parents[2] / "specs/vision/swin.net")
    narrow, wide = (netc("summary", spec, "--model", "swin_t", *more) for more in ((), ("--wide",)))
    assert max(map(len, narrow.stdout.splitlines())) <= 80 < max(map(len, wide.stdout.splitlines()))
    assert "activation bytes" in wide.stdout.splitlines()[0]
    for line in wide.stdout.splitlines():
        if line.startswith("parameters"):
            assert line in narrow.stdout


def test_summary_of_little_is_whole(netc: Netc) -> None:
    assert netc("summary", "-e", "input 3 -> dense 2").stdout == netc("summary", "-e", "input 3 -> dense 2", "--wide").stdout


@pytest.mark.parametrize("name", ["epochs", "optimizer", "schedule"])
def test_a_setting_that_is_asked_for_as_an_operator(netc: Netc, name: str) -> None:
    done = netc("ops", name)
    assert done.exit_code != 0
    assert f"`{name}` is a setting of a train section" in done.stderr
