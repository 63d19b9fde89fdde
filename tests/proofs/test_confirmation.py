"""When netc runs a model to confirm a claim, and when it does not."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.proofs import Claim, derive_claim
from netc.dsl.record import replace
from netc.proving import prove_positions as proving
from netc.proving.change_hidden import change_hidden_values

LEAKY = "x = input [T, 4]; mask = input [T] bool; x * (mask -> unsqueeze 2 -> cast float32) + x -> mean axis=1"
CLAIM = Claim("ignores", "mask")


def test_a_large_model_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "change_hidden_values", None)
    proof = proving.prove_positions(netc.compile("input 8000 -> dense 8000"), Claim("separates", "N"))
    assert proof.summary == "`net` separates `N`: each sample's outputs depend on its own `input` only"
    assert proof.notes == ("not confirmed: it has 64,008,000 parameters, and netc runs models of up to 50,000,000",)


def test_a_proof_that_running_contradicts_is_a_bug_of_netc(monkeypatch: pytest.MonkeyPatch) -> None:
    def prove_anything(program: object, claim: Claim, *, training: bool = False) -> object:
        return replace(derive_claim(program, claim), causes={"output": None})  # type: ignore[arg-type]

    monkeypatch.setattr(proving, "derive_claim", prove_anything)
    with pytest.raises(proving.ProofContradicted, match="`ignores mask` is proved for `output`"):
        proving.prove_positions(netc.compile(LEAKY), CLAIM)


def test_a_row_whose_scores_are_all_hidden_by_a_number_is_a_leak() -> None:
    # The first query sees no key, so the numbers that hide its keys cancel. The proof assumes that there is no such row.
    text = "x = input [T, 4]; mask = input [T] bool; (x, x, x, table (i, j) [T, T] = where(j < i, 0.0, -20000.0)) -> attention"
    model = netc.compile(text)
    assert "each row has a score without it" in derive_claim(model.program, CLAIM).assumptions[-1]
    (problem,) = proving.prove_positions(model, CLAIM).diagnostics
    assert problem.message == "`attention` lets hidden positions of `mask` reach the output `output`"
    assert any(note.startswith("a counterexample: ") for note in problem.notes)


def test_weights_that_hide_keys_of_constant_scores_are_assumed_too() -> None:
    text = "x = input [T, 4]; mask = input [T] bool; w = ((mask -> unsqueeze 1 -> cast float32) - 1) * 20000 -> softmax; w @ x"
    derivation = derive_claim(netc.compile(text).program, CLAIM)
    assert derivation.is_proved
    assert any(text.startswith("scores with -2e+04 added are hidden") for text in derivation.assumptions)


def test_both_runtimes_find_the_same_outputs() -> None:
    model = netc.compile(LEAKY)
    derivation = derive_claim(model.program, CLAIM)
    found = {name: change_hidden_values(model, derivation, runtimes=(name,)).differences for name in ("PyTorch", "ONNX Runtime")}
    assert {name: set(differences) for name, differences in found.items()} == {"PyTorch": {"output"}, "ONNX Runtime": {"output"}}


def test_the_changes_depend_on_the_seed_alone() -> None:
    model = netc.compile(LEAKY)
    derivation = derive_claim(model.program, CLAIM)
    first, again, other = (change_hidden_values(model, derivation, seed, runtimes=("PyTorch",)).differences for seed in (0, 0, 1))
    assert first == again
    assert first != other
