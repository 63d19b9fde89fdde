"""Emit the function that computes weights of classes from the training samples, as `balance kind weight=weights` declares.

>>> from netc.dsl.source import SourceFile, Span
>>> _emit_call(BalanceRule("w", WEIGHT, "kind", (3,), "float32", NOT_A_LABEL, Span(SourceFile("<text>", ""), 0, 0)))
'weigh_classes(data["kind"][samples], 3)'
"""

from __future__ import annotations

from ...prediction.model_signature import NOT_A_LABEL
from ..balance_rules import WEIGHT, BalanceRule
from ..recipe import Recipe
from .lines import quote_string, to_literal
from .section_words import TORCH_WORDS, SectionWords


def emit_balance(recipe: Recipe, words: SectionWords = TORCH_WORDS) -> list[str]:
    """Emit `balance_classes(data, samples)`, which computes the inputs that are the same for all samples."""
    head = [
        f"def balance_classes(data: Batch, samples: {words.samples}) -> Batch:",
        '    """Compute the weights of classes from the training samples."""',
        "    return {",
    ]
    entries = [f"        {quote_string(rule.input)}: {words.cast(_emit_call(rule), rule.dtype)}," for rule in recipe.balances]
    return ["\n".join([*head, *entries, "    }"])]


def _emit_call(rule: BalanceRule) -> str:
    labels = f"data[{quote_string(rule.target)}][samples]"
    if rule.kind == WEIGHT:
        ignored = f", ignored={rule.ignored}" if rule.ignored != NOT_A_LABEL else ""
        return f"weigh_classes({labels}, {rule.shape[0]}{ignored})"
    return f"weigh_positives({labels}, {to_literal(rule.shape)})" if rule.shape else f"weigh_positives({labels})"
