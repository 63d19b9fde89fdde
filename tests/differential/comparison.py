"""Whether netc and PyTorch agree on one use of an operator: both refuse it, or both take it and make the same types of it.

In: a `Use`. Out: a `Verdict`. Always: nothing is run but PyTorch on tiny tensors; the numbers are the business of the parity.
"""

from __future__ import annotations

from typing import Any

import netc
from netc.compiler.dims import Facts
from netc.compiler.ops.operator import OperatorError
from netc.dsl.record import Record
from tests.differential.known_differences import reason
from tests.differential.oracle import ask
from tests.differential.use import Use


class Verdict(Record):
    """`model`: what netc makes of it, if anything; `codes`: its errors, if it refuses. `disagreement`: what is wrong, empty if nothing;
    `known`: why netc is meant to be stricter; `unknown`: PyTorch could not be asked."""

    text: str
    model: Any
    codes: tuple[str, ...]
    disagreement: str
    known: str = ""
    unknown: bool = False


def results_of(use: Use) -> int:
    """How many results are taken: all there are, or the main one. What is refused is taken to have one."""
    if use.main or use.kinds_refuse():
        return 1
    try:
        op = use.build()
        return len(op.check_and_infer(op.bind_inputs(use.inputs, Facts.empty())))
    except OperatorError:
        return 1


def judged(use: Use) -> Verdict:
    """Asks both of them about the use, its sizes as they are."""
    use = Use(use.operator, use.inputs, use.args)
    results = results_of(use)
    text = use.text(results)
    model, codes = compiled(text)
    answer = ask(use, results)
    if answer.unknown:
        return Verdict(text, model, codes, "", unknown=True)
    if model is None:
        if answer.types is None:
            return Verdict(text, None, codes, "")
        known = reason(use, codes, answer.types)
        return Verdict(text, None, codes, "" if known else f"netc refuses it ({', '.join(codes)}), PyTorch makes {answer.types}", known)
    if answer.types is None:
        return Verdict(text, model, (), f"netc takes it, PyTorch does not: {answer.why}")
    inferred = tuple((t.dtype.name, tuple(t.shape)) for t in model.outputs.values())
    wrong = "" if inferred == answer.types else f"netc infers {inferred}, PyTorch makes {answer.types}"
    return Verdict(text, model, (), wrong)


def compiled(text: str) -> tuple[Any, tuple[str, ...]]:
    """The model, or None and the codes of the errors."""
    try:
        return netc.compile(text), ()
    except netc.CompileError as error:
        return None, tuple(d.code for d in error.diagnostics if d.severity == "error")
