"""Emit the function that computes inputs from the number of the step, as `vary weight warmup 1000` declares.

>>> from netc.dsl.source import SourceFile, Span
>>> from ..vary_rules import VaryStage
>>> span = Span(SourceFile("<text>", ""), 0, 0)
>>> stages = (VaryStage("warmup", 100, 0.0), VaryStage("linear", None, 0.5))
>>> print("\\n".join(_emit_stages("weight", VaryRule("weight", stages, "float32", span))))
    if step < 100:
        weight = step / 100
    else:
        weight = 1 - 0.5 * (step - 100) / max(1, steps - 100)
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.backends.python.identifiers import make_unique, make_variable_name

from ..recipe import Recipe
from ..vary_rules import VaryRule, VaryStage
from .lines import quote_string, to_literal
from .section_words import TORCH_WORDS, SectionWords


def emit_varied(recipe: Recipe, words: SectionWords = TORCH_WORDS) -> str:
    """Emit `vary_inputs(step, steps, steps_per_epoch)`, which computes the inputs of a step, or of a validation after that many steps."""
    lines = [
        "def vary_inputs(step: int, steps: int, steps_per_epoch: int) -> Batch:",
        '    """Compute the inputs that change with the step."""',
    ]
    entries, taken_names = list[str](), {"step", "steps", "steps_per_epoch"}
    for rule in recipe.varied:
        value = _emit_counter(rule.stages[0]) if len(rule.stages) == 1 else ""
        if not value:
            value = make_unique(make_variable_name(rule.input), taken_names)
            taken_names.add(value)
            lines += _emit_stages(value, rule)
        entries.append(f"        {quote_string(rule.input)}: {words.make_scalar(value, rule.dtype)},")
    return "\n".join([*lines, "    return {", *entries, "    }"])


def _emit_counter(stage: VaryStage) -> str:
    """Emit the value of an input that has one stage."""
    counters = {"step": "step", "epoch": "step // steps_per_epoch", "progress": "step / steps"}
    return counters.get(stage.name) or _emit_value(stage, 0, is_last=True)


def _emit_stages(variable: str, rule: VaryRule) -> Iterator[str]:
    """Emit the statements that compute an input with several stages."""
    start = 0
    for index, stage in enumerate(rule.stages[:-1]):
        assert stage.steps is not None
        yield f"    {'el' if index else ''}if step < {start + stage.steps}:"
        yield f"        {variable} = {_emit_value(stage, start, is_last=False)}"
        start += stage.steps
    yield "    else:"
    yield f"        {variable} = {_emit_value(rule.stages[-1], start, is_last=True)}"


def _emit_value(stage: VaryStage, start: int, is_last: bool) -> str:
    """Emit the value within a stage. The last one keeps its last value after its end."""
    done = f"(step - {start})" if start else "step"
    length = str(stage.steps) if stage.steps is not None else f"max(1, steps - {start})" if start else "steps"
    share = f"{done} / {length}"
    share = f"min({share}, 1)" if is_last and stage.steps is not None else share
    match stage.name:
        case "warmup":
            return share
        case "linear":
            return f"1{_emit_change(stage.to - 1)} * {share}"
        case "cosine":
            cosine = f"(1 + math.cos(math.pi * {share})) / 2"
            return f"{to_literal(stage.to)}{_emit_change(1 - stage.to)} * {cosine}" if stage.to else cosine
    return "1"


def _emit_change(change: float) -> str:
    return f" - {to_literal(-change)}" if change < 0 else f" + {to_literal(change)}"
