"""Packing and padding bugs are refused at the stage that leaks, and running shows each; correct versions are proved, and running agrees."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.proofs import derive_claim
from netc.proving.prove_positions import prove_positions
from tests.proofs.specs import BUGS, Bug

NAMES = [bug.name for bug in BUGS]


@pytest.mark.parametrize("bug", BUGS, ids=NAMES)
def test_the_stage_that_leaks_is_named_and_running_shows_the_leak(bug: Bug) -> None:
    (problem,) = prove_positions(netc.compile(bug.wrong), bug.claim).diagnostics
    assert problem.code == "leak"
    assert problem.message.startswith(f"`{bug.at}` ")
    assert any(note.startswith("a counterexample: ") for note in problem.notes), problem.notes


@pytest.mark.parametrize("bug", BUGS, ids=NAMES)
def test_the_correct_version_is_proved_and_running_agrees(bug: Bug) -> None:
    model = netc.compile(bug.right)
    assert derive_claim(model.program, bug.claim).is_proved
    proof = prove_positions(model, bug.claim)
    assert not proof.diagnostics
    assert proof.summary.endswith("; 20 random changes confirm it in PyTorch and ONNX Runtime")
