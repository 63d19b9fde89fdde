"""`netc check --ignores MASK` and `--separates NAME`: prove that hidden positions do not matter.

$ netc check encoder.net --ignores mask
`encoder` ignores `tokens` where `mask` is false
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from netc.compiler.errors.binding_errors import UnusedName

from .terminal import write_note, write_status

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.dsl.diagnostics import Diagnostic

    from ..proving.prove_positions import PositionProof

F = TypeVar("F", bound=Callable[..., object])


def claim_options(function: F) -> F:
    """Add the options of claims about positions."""
    separates = click.option(
        "--separates",
        metavar="NAME",
        multiple=True,
        help="Prove that outputs depend only on positions with the same number in this input, or on their own sample for `N`.",
    )
    ignores = click.option(
        "--ignores", metavar="MASK", multiple=True, help="Prove that outputs do not depend on inputs where this input is false."
    )
    return ignores(separates(function))


def prove_claims(programs: Sequence[Program], ignores: Sequence[str], separates: Sequence[str]) -> list[PositionProof]:
    """Prove each claim about each program."""
    if not ignores and not separates:
        return []
    from netc.compiler.proofs import Claim

    from ..model import Model
    from ..proving.prove_positions import prove_positions

    claims = [*(Claim("ignores", name) for name in ignores), *(Claim("separates", name) for name in separates)]
    return [prove_positions(Model(program), claim) for program in programs for claim in claims]


def drop_claimed(diagnostics: Iterable[Diagnostic], claimed: Container[str]) -> tuple[Diagnostic, ...]:
    """Leave out the warnings that the inputs of claims are never used: the claims are about them."""
    return tuple(d for d in diagnostics if d.code != UnusedName.code or d.span.text not in claimed)


def show_claims(proofs: Sequence[PositionProof]) -> None:
    """Print what is proved, under which assumptions."""
    for proof in (proof for proof in proofs if proof.summary):
        write_status(proof.summary)
        for note in proof.notes:
            write_note(note)
