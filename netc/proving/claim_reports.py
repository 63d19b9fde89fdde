"""Diagnostics of claims that are not proved, without running the model.

>>> import netc
>>> program = netc.compile("x = input [T, 4]; mask = input [T] bool; (mask -> unsqueeze 2, x) -> where other=0 -> mean axis=1").program
>>> report_claim(program, Claim("ignores", "mask"))
()
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from netc.compiler.errors.proof_errors import Leak
from netc.compiler.errors.stream_errors import NoStream
from netc.compiler.ir.graph import Program
from netc.compiler.proofs import Claim, ClaimRefused, Derivation, derive_claim
from netc.compiler.streaming import StreamRefused, derive_stream
from netc.dsl.diagnostics import Diagnostic, Mark
from netc.dsl.record import replace

from ..files.file_problems import make_diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import StatedClaim
    from netc.compiler.proofs.abstract_tensors import Cause


def report_stated_claims(program: Program) -> list[Diagnostic]:
    """Return a diagnostic for each `expect` with a claim that is not proved."""
    found: list[Diagnostic] = []
    reports: dict[tuple[str, str], dict[str, Diagnostic]] = {}
    for stated in program.claims:
        if stated.verb == "causal":
            reason = _find_look_ahead(program, stated)
        else:
            key = (stated.verb, stated.name)
            if key not in reports:
                reports[key] = _report_outputs(program, stated)
            reason = reports[key].get(stated.output)
        if reason is not None:
            mark = () if reason.span == stated.span else (Mark(stated.span, "expected here"),)
            found.append(replace(reason, marks=(*reason.marks, *mark)))
    return found


def _report_outputs(program: Program, stated: StatedClaim) -> dict[str, Diagnostic]:
    """Return a diagnostic for each output that a claim is not proved for."""
    claim = _read_claim(stated)
    try:
        derivation = derive_claim(program, claim)
    except ClaimRefused as refused:
        return dict.fromkeys(program.main.output_names, make_diagnostic(refused.problem, stated.span))
    return {output: report_leak(claim, output, cause) for output, cause in derivation.causes.items() if cause is not None}


def _find_look_ahead(program: Program, stated: StatedClaim) -> Diagnostic | None:
    """Derive a stream for one output alone."""
    main = copy(program.main)
    main.outputs = [program.main.outputs[program.main.output_names.index(stated.output)]]
    main.output_names = [stated.output]
    try:
        derive_stream(Program(main, program.facts, program.symbols, program.conditions, program.dims), stated.name)
    except StreamRefused as refused:
        is_unknown = refused.problem.code == NoStream.code
        return make_diagnostic(refused.problem, stated.span if is_unknown else refused.span)
    return None


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


def summarize_proof(derivation: Derivation, name: str) -> str:
    """Return the sentence of a proof about the model or the output `name`."""
    claim, covered = derivation.claim, ", ".join(f"`{name}`" for name in derivation.covered)
    if claim.verb == "ignores":
        at_end = ", if padding is at the end" if derivation.setting.relation.ordered else ""
        return f"`{name}` ignores {covered} where `{claim.name}` is {'false' if derivation.setting.has_booleans else 0}{at_end}"
    if derivation.setting.mask is None:
        return f"`{name}` separates `{claim.name}`: each sample's outputs depend on its own {covered} only"
    return f"`{name}` separates `{claim.name}`: outputs depend on {covered} of one group only"


def describe_claim(program: Program, stated: StatedClaim) -> str:
    """Return what is proved of a claim, and under which assumptions; or the reason why it is not proved."""
    if stated.verb == "causal":
        problem = _find_look_ahead(program, stated)
        return f"proved: `{stated.output}` depends on no later input along `{stated.name}`" if problem is None else problem.message
    reason = _report_outputs(program, stated).get(stated.output)
    if reason is not None:
        return reason.message
    derivation = derive_claim(program, _read_claim(stated))
    assumed = (f"assumed: {text}" for text in derivation.assumptions)
    return "\n\n".join((f"proved: {summarize_proof(derivation, stated.output)}", *derivation.risks, *assumed))


def _read_claim(stated: StatedClaim) -> Claim:
    return Claim("ignores" if stated.verb == "ignores" else "separates", stated.name)
