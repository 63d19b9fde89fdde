"""Write the terms of the loss of a micro-batch: its totals, divided by the counts of the whole batch.

In: the means of a loss. Out: the expression for these terms, and for those that do not depend on the samples, such as weight decay in the
loss. Always: the losses of the micro-batches add up to the loss of the batch.
"""

from __future__ import annotations

from netc.compiler.objectives.means import MeanDecomposition

from .section_words import SectionWords


def write_terms(means: MeanDecomposition, repeated: bool, count: str, words: SectionWords) -> tuple[str, str]:
    """Return the expressions for the totals of a micro-batch, and for those that do not depend on its samples. The latter are the same in
    each micro-batch, so that they are multiplied by their number, `count`, to be means again."""
    if not repeated or not any(means.is_constant):
        return "totals", f"[{words.zeros}(total) for total in totals]"
    constant = f"totals[{{}}] * {count}"
    return _join_terms(means, "totals[{}]", constant), _join_terms(means, f"{words.zeros}(totals[{{}}])", constant)


def _join_terms(means: MeanDecomposition, other: str, constant: str) -> str:
    return f"[{', '.join((constant if same else other).format(i) for i, same in enumerate(means.is_constant))}]"
