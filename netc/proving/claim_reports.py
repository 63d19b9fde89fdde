"""Diagnostics of claims that are not proved, without running the model.

>>> import netc
>>> program = netc.compile("x = input [T, 4]; mask = input [T] bool; (mask -> unsqueeze 2, x) -> where other=0 -> mean axis=1").program
>>> report_claim(program, Claim("ignores", "mask"))
()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.errors.proof_errors import Leak
from netc.compiler.proofs import Claim, ClaimRefused, derive_claim
from netc.dsl.diagnostics import Diagnostic

from ..files.file_problems import make_diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.compiler.proofs.abstract_tensors import Cause


def report_claim(program: Program, claim: Claim) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each output for which a claim is not proved."""
    try:
        derivation = derive_claim(program, claim)
    except ClaimRefused as refused:
        return (make_diagnostic(refused.problem, refused.span),)
    return tuple(report_leak(claim, output, cause) for output, cause in derivation.causes.items() if cause is not None)


def report_leak(claim: Claim, output: str, cause: Cause, evidence: str = "") -> Diagnostic:
    problem = Leak(claim.verb, claim.name, cause.operator, output, cause.has_rule, cause.meets, evidence)
    return make_diagnostic(problem, cause.span)
