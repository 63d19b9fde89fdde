"""`netc check --ignores` and `--separates`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Netc = Callable[..., Any]
MASKED = "x = input [T, 4]; mask = input [T] bool; (mask -> unsqueeze 2, x) -> where other=0"


def test_a_proof_is_one_line_with_its_inputs(netc: Netc) -> None:
    done = netc("check", "-e", MASKED + " -> mean axis=1", "--ignores", "mask")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == ("no errors\n`net` ignores `x` where `mask` is false; 20 random changes confirm it in PyTorch and ONNX Runtime\n")


def test_the_input_of_a_claim_is_used(netc: Netc, tmp_path: Path) -> None:
    text = "x = input [T, 4]\nmask = input [T] bool\ny = x -> dense 3\n"
    path = tmp_path / "net.net"
    path.write_text(text)
    assert "`mask` is never used" in netc("check", str(path)).stdout
    done = netc("check", str(path), "--ignores", "mask", "--fix", "--strict")
    assert (done.exit_code, done.stdout, path.read_text()) == (0, "", text)
    path.write_text(text + "expect y ignores mask\n")
    assert netc("check", str(path), "--strict").exit_code == 0


def test_several_claims_are_proved_one_by_one(netc: Netc) -> None:
    done = netc("check", "-e", MASKED + " -> cumsum axis=1 -> transpose 1 2 -> batch_norm", "--ignores", "mask", "--separates", "N")
    assert done.exit_code == 0
    lines = done.stderr.splitlines()
    assert [line.split("`")[2].split()[0] for line in lines if line.startswith("`net`")] == ["ignores", "separates"]
    assert "note: in training, `batch_norm` mixes what `N` separates" in lines


def test_a_leak_is_an_error_with_a_counterexample(netc: Netc) -> None:
    done = netc("check", "-e", MASKED + " -> mean axis=1; x -> mean axis=1", "--ignores", "mask", "--format", "short")
    assert done.exit_code == 1
    assert "error[leak]" in done.stdout
    assert "`mean` lets hidden positions of `mask` reach" in done.stdout


def test_a_claim_about_nothing_is_an_error(netc: Netc) -> None:
    for option, name, code in (
        ("--ignores", "nothing", "unknown-positions"),
        ("--ignores", "T", "unknown-positions"),
        ("--ignores", "x", "wrong-mask-type"),
        ("--separates", "mask", "wrong-mask-type"),
    ):
        done = netc("check", "-e", MASKED, option, name)
        assert (done.exit_code, code in done.stdout) == (1, True), name


def test_a_leak_is_a_result_of_sarif(netc: Netc) -> None:
    done = netc("check", "-e", MASKED + " -> mean axis=1; x -> mean axis=1", "--ignores", "mask", "--format", "sarif")
    (result,) = [one for one in json.loads(done.stdout)["runs"][0]["results"] if one["ruleId"] == "leak"]
    assert done.exit_code == 1
    assert "a counterexample: " in json.dumps(result)
