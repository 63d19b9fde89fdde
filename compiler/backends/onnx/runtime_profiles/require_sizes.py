"""Refuses a program with symbolic sizes for a runtime that needs numbers.

In: a program, and a profile. Out: an error that names the symbols, or nothing. Always: this comes before any weight is drawn.

For example, TVM cannot run `x = input [T, 3]; x -> relu` before `--dim N=1 --dim T=8` fixes its sizes.
"""

from __future__ import annotations

from ....errors.target_errors import RuntimeUnsupported, UnsupportedByTarget
from ....ir.graph import Program
from .runtime_profile import RuntimeProfile


def require_sizes(program: Program, profile: RuntimeProfile) -> None:
    """Raise `UnsupportedByTarget` if the runtime needs sizes that are symbols in the program."""
    if profile.needs_sizes:
        require_numbers(program, profile.title)


def require_numbers(program: Program, title: str) -> None:
    """Raise `UnsupportedByTarget` if there are symbols in the program, for a runtime or a device of this title."""
    symbols = tuple(program.symbols)
    if symbols:
        raise UnsupportedByTarget(RuntimeUnsupported("the model", title, *explain_sizes(symbols)), program.main.span)


def explain_sizes(symbols: tuple[str, ...]) -> tuple[str, str]:
    """Return the reason, and the advice, for sizes that are symbols."""
    named = ", ".join(f"`{symbol}`" for symbol in symbols)
    return f"it needs a number for {named}", "fix each size: " + " ".join(f"`--dim {symbol}=SIZE`" for symbol in symbols)
