from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Netc = Callable[..., Any]
Write = Callable[[str, str], Path]


def test_a_good_spec(netc: Netc) -> None:
    done = netc("check", "-e", "input 3 -> dense 2 sigmoid -> dense 1 sigmoid")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no errors\n")


def test_a_bad_spec(netc: Netc) -> None:
    done = netc("check", "-e", "input 3 -> dens 2")
    assert done.exit_code == 1
    assert done.stdout == (
        "error[unknown-operator]: unknown operator or block `dens`\n"
        " --> <text>:1:12\n"
        "  |\n"
        "1 | input 3 -> dens 2\n"
        "  |            ^^^^\n"
        "  |\n"
        "  = help: did you mean `dense`?\n"
        "\n"
        "1 error\n"
    )


def test_warnings_are_no_failure(netc: Netc) -> None:
    done = netc("check", "-e", "x = input 3\ny = x -> relu\nx -> dense 2")
    assert done.exit_code == 0
    assert "warning[unused-name]" in done.stdout


def test_warnings_are_failures_of_strict_checks(netc: Netc) -> None:
    done = netc("check", "--strict", "-e", "x = input 3\ny = x -> relu\nx -> dense 2")
    assert done.exit_code == 1
    assert "warning[unused-name]" in done.stdout
    assert netc("check", "--strict", "-e", "input 3 -> dense 2").exit_code == 0


def test_fix_applies_what_is_safe(netc: Netc, write: Write) -> None:
    path = write("a.net", "input [None, 3, 8, 8] -> Conv2D filters=8 kernel_size=3 -> fltten -> fc 10\n")
    done = netc("check", "--fix", "a.net")
    assert path.read_text() == "input [3, 8, 8] -> conv channels=8 kernel_size=3 -> fltten -> dense 10\n"
    assert (done.exit_code, done.stderr) == (1, "a.net: 3 edits\n")
    assert [line.split()[0] for line in done.stdout.splitlines() if line[:5] == "error"] == ["error[unknown-operator]:"]
    assert netc("check", "--fix", "-e", "input 3").exit_code == 2


def test_formats_of_continuous_integration(netc: Netc, write: Write) -> None:
    write("a.net", "input 3\n  -> dens 2")
    done = netc("check", "a.net", "--format", "github")
    assert done.stdout == (
        "::error file=a.net,line=2,col=6,title=unknown-operator::unknown operator or block `dens`%0Ahelp: did you mean `dense`?\n"
    )
    log = json.loads(netc("check", "a.net", "--format", "sarif").stdout)
    (result,) = log["runs"][0]["results"]
    assert (log["version"], result["ruleId"], result["level"]) == ("2.1.0", "unknown-operator", "error")
    region = {"startLine": 2, "startColumn": 6, "endLine": 2, "endColumn": 10}
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a.net"}, "region": region}}]


def test_edits(netc: Netc) -> None:
    (found,) = json.loads(netc("check", "-e", "input 3 -> dens 2", "--format", "json").stdout)
    assert [(e["text"], e["column"], e["end_column"], e["safe"]) for e in found["edits"]] == [("dense", 12, 16, False)]


def test_several_files_and_formats(netc: Netc, write: Write) -> None:
    write("a.net", "input 3 -> dens 2")
    write("b.net", "input 3 -> dense 2")
    write("c.net", "input 3 -> dense")
    short = netc("check", "a.net", "b.net", "c.net", "d.net", "--format", "short")
    assert short.exit_code == 1
    assert [line.partition(": ")[0] for line in short.stdout.splitlines()] == ["a.net:1:12", "c.net:1:12", "d.net:1:1"]
    found = json.loads(netc("check", "a.net", "b.net", "--format", "json").stdout)
    assert [(d["code"], d["file"], d["line"], d["column"], d["end_line"], d["end_column"]) for d in found] == [
        ("unknown-operator", "a.net", 1, 12, 1, 16)
    ]
    assert {"code", "severity", "message", "labels", "notes", "help"} <= found[0].keys()
    assert json.loads(netc("check", "b.net", "--format", "json").stdout) == []


def test_shapes(netc: Netc) -> None:
    done = netc("check", "--shapes", "-e", "x = input [T, 4]\nx -> dense 8 relu as wide -> dense 2")
    assert done.exit_code == 0
    assert done.stdout == (
        "net     operator  result\n"
        "x       input     [N, T, 4]\n"
        "wide    dense     [N, T, 8]\n"
        "relu1   relu      [N, T, 8]\n"
        "dense1  dense     [N, T, 2]\n"
    )


def test_standard_input(netc: Netc) -> None:
    assert netc("check", "-", input="input 3 -> relu").exit_code == 0
    assert "<stdin>:1:" in netc("check", "-", input="input 3 -> rel").stdout
    assert "not-utf8" in netc("check", "-", input=b"\xff").stdout


@pytest.mark.parametrize("size", [7, 8])
def test_standard_input_is_as_large_as_a_file_at_most(netc: Netc, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """One byte more than the limit is an error, and no text that was cut."""
    monkeypatch.setattr("netc.files.source_files.MAX_BYTES", 7)
    assert ("file-too-large" in netc("check", "-", input="input 3".ljust(size)).stdout) is (size > 7)


def test_every_model_of_a_file(netc: Netc, write: Write) -> None:
    write("m.net", "model a(w=2) { input 3 -> dense w }\nmodel b { input 3 -> dens 1 }")
    assert netc("check", "m.net").exit_code == 1
    assert netc("check", "m.net", "--model", "a", "--set", "w=4").exit_code == 0


def test_a_library_is_fine(netc: Netc, write: Write) -> None:
    write("lib.net", "block b { dense 1 }")
    assert netc("check", "lib.net").exit_code == 0


def test_set_and_dim(netc: Netc) -> None:
    text = "model m(w=2, sizes=[1]) { input [T, 3] -> dense w -> repeat s in sizes { dense s } }"
    done = netc("check", "--shapes", "-e", text, "--set", "w=(2 * 8)", "--set", "sizes=[4, 5]", "--dim", "T=128")
    assert done.exit_code == 0
    assert "[N, 128, 16]" in done.stdout
    assert "[N, 128, 5]" in done.stdout


def test_wrong_usage(netc: Netc, write: Write) -> None:
    write("a.net", "input 3 -> dense 2")
    for words in (
        [],
        ["a.net", "-e", "input 3"],
        ["a.net", "--format", "xml"],
        ["a.net", "--shapes", "--format", "json"],
        ["a.net", "--set", "w"],
        ["a.net", "--set", "w=["],
        ["a.net", "--set", "w=1 +"],
        ["a.net", "--set", "w=nothing(3)"],
        ["a.net", "--set", "=3"],
        ["a.net", "--dim", "T=0"],
        ["a.net", "--dim", "T=-1"],
        ["a.net", "--dim", "T=x"],
        ["a.net", "--dim", "T=1e9"],
        ["a.net", "--dim", f"T={'9' * 5000}"],
        ["a.net", "--nonsense"],
    ):
        done = netc("check", *words)
        assert done.exit_code == 2, words
        assert "Traceback" not in done.output
        assert done.output.startswith("Usage: netc check")


def test_a_dimension_beyond_an_int64(netc: Netc) -> None:
    assert "an integer from 1 to 2**63 - 1, got `9223372036854775808`" in netc("check", "-e", "input [T]", "--dim", f"T={2**63}").output
    assert netc("check", "-e", "input [T]", "--dim", f"T={2**50}").exit_code == 0


def test_colors_without_a_terminal(netc: Netc) -> None:
    assert "\x1b[" not in netc("check", "-e", "input 3 -> dens 2").stdout
    assert "\x1b[" in netc("check", "-e", "input 3 -> dens 2", env={"FORCE_COLOR": "1", "NO_COLOR": ""}).stdout
    assert "\x1b[" not in netc("check", "-e", "input 3 -> dens 2", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
