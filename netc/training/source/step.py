"""A step of the optimizer, as a function of the file.

In: the recipe, and the objective cut at its means. Out: the text of `train_step`, and of `in_parts` where a batch is divided. Always: the
gradient is that of the whole batch.
"""

from __future__ import annotations

from netc.compiler.analysis.means import Means
from netc.compiler.ir.training import LOSS
from netc.dsl.record import Record

from ..optimizers import follows_metric
from ..recipe import Recipe
from .lines import literal

IN_PARTS = '''def in_parts(batch: Batch) -> list[Batch]:
    """A batch in parts, each of which fits into memory."""
    count = min(ACCUMULATE, len(batch[{column}]))
    parts = zip(*(column.tensor_split(count) for column in batch.values()), strict=True)
    return [dict(zip(batch, part, strict=True)) for part in parts]'''
SUMS = "Sums = tuple[list[Tensor], list[Tensor | int]]"


def gives_sums(recipe: Recipe) -> bool:
    """Whether a step gives its sums, which the loop adds up: a schedule follows the metric of the training samples of an epoch."""
    return follows_metric(recipe) and not recipe.validates


class StepText(Record):
    """`column`: an input, as a literal."""

    recipe: Recipe
    means: Means
    column: str

    def texts(self) -> list[str]:
        if self.recipe.accumulate == 1:
            return [self._whole()]
        return [IN_PARTS.replace("{column}", self.column), self._divided()]

    def _head(self) -> list[str]:
        arguments = "model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch"
        if gives_sums(self.recipe):
            doc = '    """One step of the optimizer; the sums of the batch, and what they are divided by."""'
            return [SUMS, "", "", f"def train_step({arguments}) -> Sums:", doc]
        return [f"def train_step({arguments}) -> dict[str, Tensor]:", '    """One step of the optimizer; loss and metrics of the batch."""']

    def _whole(self) -> str:
        made, loss, result = "results(totals(model, batch), counts(batch))", "made", "made"
        if gives_sums(self.recipe):
            made, loss, result = "totals(model, batch)", "results(made, divisors)", "[total.detach() for total in made], divisors"
        lines = [
            f"    made = {made}",
            *(["    divisors = list(counts(batch))"] if gives_sums(self.recipe) else []),
            "    optimizer.zero_grad()",
            f'    {loss}["{LOSS}"].backward()',
            *self._clip(),
            "    optimizer.step()",
            f"    return {result}",
        ]
        return "\n".join([*self._head(), *lines])

    def _divided(self) -> str:
        summed = "[sum(several) for several in zip(*found, strict=True)], divisors"
        lines = [
            "    parts = in_parts(batch)",
            "    divisors = [sum(several) for several in zip(*map(counts, parts), strict=True)]",
            "    optimizer.zero_grad()",
            "    found = []",
            "    for part in parts:",
            "        made = totals(model, part)",
            *self._backward(),
            "        found.append([total.detach() for total in made])",
            *self._clip(),
            "    optimizer.step()",
            f"    return {summed}" if gives_sums(self.recipe) else f"    return results({summed})",
        ]
        return "\n".join([*self._head(), *lines])

    def _backward(self) -> list[str]:
        """What a part adds to the loss: terms that are the same for all samples are added once."""
        if self.means.finish is None:
            return [f'        results(made, divisors)["{LOSS}"].backward()']
        lines = ["        # Terms that do not depend on the samples count once."]
        terms, zeros = "made", "[torch.zeros_like(total) for total in made]"
        if any(self.means.constant):  # each part has all of such a term, which is divided by the number of parts
            lines.append(f"        terms = {self._list_terms('made[{}]', 'made[{}] * len(parts)')}")
            terms, zeros = "terms", self._list_terms("torch.zeros_like(made[{}])", "terms[{}]")
        return [
            *lines,
            f'        constant = results({zeros}, divisors)["{LOSS}"]',
            f'        (results({terms}, divisors)["{LOSS}"] - constant * (1 - 1 / len(parts))).backward()',
        ]

    def _list_terms(self, other: str, constant: str) -> str:
        """The source of a list of the totals, with the pattern `constant` for terms that are the same for all samples."""
        return f"[{', '.join((constant if same else other).format(i) for i, same in enumerate(self.means.constant))}]"

    def _clip(self) -> list[str]:
        made = []
        if self.recipe.clip_value is not None:
            made.append(f"    nn.utils.clip_grad_value_(model.parameters(), {literal(self.recipe.clip_value)})")
        if self.recipe.clip_norm is not None:
            made.append(f"    nn.utils.clip_grad_norm_(model.parameters(), {literal(self.recipe.clip_norm)})")
        return made
