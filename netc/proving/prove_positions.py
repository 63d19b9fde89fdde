"""Prove that hidden positions do not matter, confirm it by running, and report it.

>>> import netc
>>> model = netc.compile("x = input [T, 4]; mask = input [T] bool; x -> dense 2")
>>> prove_positions(model, Claim("ignores", "mask")).summary
'`net` ignores `x` where `mask` is false; 20 random changes confirm it in PyTorch and ONNX Runtime'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.analysis.state_dict import collect_parameters, count_parameters
from netc.compiler.proofs import Claim, ClaimRefused, Derivation, derive_claim
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ..files.file_problems import make_diagnostic
from ..inputs.random_inputs import NoSizes
from .change_hidden import TRIES, Confirmation, change_hidden_values
from .claim_reports import report_leak, summarize_proof

if TYPE_CHECKING:
    from netc.compiler.proofs.abstract_tensors import Cause

    from ..model import Model


MOST_PARAMETERS = 50_000_000
"""The most parameters of a model that is run to confirm a proof."""


class ProofContradicted(AssertionError):
    """A claim that is proved, and that running contradicts: a bug of netc."""


class PositionProof(Record):
    """The diagnostics of a claim that is not proved, or the sentences of a proof: `summary`, and `notes` with its assumptions."""

    diagnostics: tuple[Diagnostic, ...] = ()
    summary: str = ""
    notes: tuple[str, ...] = ()


def prove_positions(model: Model, claim: Claim) -> PositionProof:
    """Prove a claim about each output of a model, and run the model with other hidden values.

    Args:
        model: The model. Its weights and inputs are drawn.
        claim: What to prove.

    Returns:
        The proof, or a diagnostic for each output without one, at the stage that leaks.

    Raises:
        ProofContradicted: Running contradicts a proof.
    """
    program = model.program
    try:
        derivation = derive_claim(program, claim)
    except ClaimRefused as refused:
        return PositionProof((make_diagnostic(refused.problem, refused.span),))
    confirmation = _confirm(model, derivation)
    diagnostics = tuple(
        _report_output(claim, name, cause or derivation.hiding_stage, confirmation)
        for name, cause in derivation.causes.items()
        if cause is not None or name in confirmation.differences
    )
    if diagnostics:
        return PositionProof(diagnostics)
    assumed = (f"assumed: {text}" for text in derivation.assumptions)
    failed = (f"not confirmed: {text}" for text in confirmation.failures)
    ran = " and ".join(confirmation.runtimes)
    confirmed = f"; {TRIES} random changes confirm it in {ran}" if ran else ""
    summary = summarize_proof(derivation, model.name) + confirmed
    return PositionProof((), summary, (*_describe_training(model, claim), *derivation.risks, *assumed, *failed))


def _confirm(model: Model, derivation: Derivation) -> Confirmation:
    """Run the model, unless it is so large that drawing its weights would take minutes, or all memory."""
    count = count_parameters(collect_parameters(model.program))
    if count > MOST_PARAMETERS:
        return Confirmation({}, (), (f"it has {count:,} parameters, and netc runs models of up to {MOST_PARAMETERS:,}",))
    try:
        return change_hidden_values(model, derivation)
    except NoSizes as error:
        return Confirmation({}, (), (str(error),))


def _report_output(claim: Claim, name: str, cause: Cause | None, confirmation: Confirmation) -> Diagnostic:
    found = confirmation.differences.get(name)
    # What is proved if each row has a score that is not hidden may be wrong in a row without one.
    if cause is None:
        raise ProofContradicted(f"`{claim.verb} {claim.name}` is proved for `{name}`, and running contradicts it: {found}")
    if found is None:
        return report_leak(claim, name, cause, _describe_search(cause, confirmation))
    shown = f"`{found.element}` is {found.before:.3g}, and then {found.after:.3g}, in {found.runtime}"
    return report_leak(claim, name, cause, f"a counterexample: with other hidden values, {shown}")


def _describe_search(cause: Cause, confirmation: Confirmation) -> str:
    """Say that running found no counterexample, or why the model did not run."""
    if not confirmation.runtimes:
        return "not run: " + "; ".join(confirmation.failures)
    if cause.meets:
        return ""
    return f"no counterexample: {TRIES} random changes of hidden values changed nothing that must stay, so perhaps only a rule is missing"


def _describe_training(model: Model, claim: Claim) -> tuple[str, ...]:
    """Name the stage that mixes samples in training, as `batch_norm` does."""
    if claim.name not in model.program.symbols:
        return ()
    causes = derive_claim(model.program, claim, training=True).causes.values()
    operators = dict.fromkeys(cause.operator for cause in causes if cause is not None)
    return tuple(f"in training, `{operator}` mixes what `{claim.name}` separates" for operator in operators)
