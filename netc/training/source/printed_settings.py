"""Emit the settings of a section: the constants at the top of the file, the optimizer with its groups, and the schedule.

In: a recipe that has been checked. Out: texts. Always: `netc train` constructs the same classes with the same arguments, because it
executes these functions.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> from netc.training.recipe import read_recipe
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd lr=0.1 }"
    >>> recipe, _ = read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> print(emit_optimizer(recipe)[0])
    def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..optimizers import UsedOptimizers, choose_kernel, follows_metric, list_used_optimizers, normalize_name, resolve_schedules
from ..parameter_patterns import EVERY_PARAMETER
from ..recipe import GroupRule, Recipe
from .clauses import read_constants
from .data_reading import emit_paths
from .lines import Expression, format_call, format_keywords, quote_string, to_literal

REPORTS = 100
"""The number of steps between two lines that the file prints."""


def emit_constants(recipe: Recipe, device: str | None = None, numbers: Mapping[str, float] | None = None) -> str:
    """Emit the constants of the file. `device` is the file's device; None chooses a GPU if there is one. `numbers` are the parameters of
    the section."""
    constants = read_constants(recipe) | dict(numbers or {})
    lines = [*emit_paths(recipe), *(f"{name} = {to_literal(value)}" for name, value in constants.items())]
    lines += [f"REPORT_EVERY = {REPORTS}", *_emit_groups(recipe)]
    device_expression = '"cuda" if torch.cuda.is_available() else "cpu"' if device is None else quote_string(device)
    return "\n".join([*lines, f"DEVICE = {device_expression}", "", "Batch = dict[str, Tensor]"])


def _emit_groups(recipe: Recipe) -> list[str]:
    """Emit the table of options by pattern, in which later entries win."""
    # In a spec the first group that matches wins, so the order is reversed; `no_decay` wins over all groups.
    rules = [(rule.pattern.text, _list_options(rule)) for rule in reversed(recipe.groups)]
    if any(rule.optimizer is not None for rule in recipe.groups):
        rules.insert(0, (EVERY_PARAMETER, {"optimizer": normalize_name(recipe.optimizer.name)}))
    rules += [(pattern.text, {"weight_decay": 0.0}) for pattern in recipe.no_decay]
    if not rules:
        return []
    lines = [
        f"    ({quote_string(p)}, {{{', '.join(f'{quote_string(n)}: {to_literal(v)}' for n, v in options.items())}}}),"
        for p, options in rules
    ]
    return ["GROUPS: list[tuple[str, dict[str, Any]]] = [", *lines, "]"]


def _list_options(rule: GroupRule) -> dict[str, Any]:
    optimizer = {} if rule.optimizer is None else {"optimizer": normalize_name(rule.optimizer.name)}
    return optimizer | {option.name: option.value for option in rule.options}


def emit_optimizer(recipe: Recipe, meshes: int = 0) -> list[str]:
    """Emit the function that makes the optimizer. `meshes` is the number of meshes of processes over which the parameters are
    distributed."""
    lines = ["def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:", *(["    freeze_parameters(model)"] if recipe.frozen else [])]
    optimizers = list_used_optimizers(recipe)
    if len(optimizers) > 1:
        return ["\n".join([*lines, *_emit_combination(optimizers, meshes)])]
    trained = "[p for p in model.parameters() if p.requires_grad]" if recipe.frozen else "model.parameters()"
    trained = "make_parameter_groups(model)" if recipe.groups or recipe.no_decay else trained
    ((cls, options),) = optimizers.values()
    keywords = format_keywords({**options, **choose_kernel(cls, options, meshes)})
    return ["\n".join([*lines, *format_call("    return ", f"torch.optim.{cls.__name__}", [trained, *keywords])])]


def _emit_combination(optimizers: UsedOptimizers, meshes: int) -> Iterator[str]:
    """Emit the body of the function for several optimizers, of which only those with parameters are made."""
    yield "    groups = make_parameter_groups(model)"
    yield "    classes = {"
    for name, (cls, options) in optimizers.items():
        keywords = format_keywords({**options, **choose_kernel(cls, options, meshes)})
        made = f"partial({', '.join([f'torch.optim.{cls.__name__}', *keywords])})" if keywords else f"torch.optim.{cls.__name__}"
        yield f"        {quote_string(name)}: {made},"
    yield "    }"
    yield '    names = dict.fromkeys(group["optimizer"] for group in groups)'
    yield '    return CombinedOptimizer([classes[name]([group for group in groups if group["optimizer"] == name]) for name in names])'


def emit_schedule(recipe: Recipe) -> list[str]:
    """Emit the function that makes the schedule; nothing for a constant learning rate."""
    if not recipe.schedule:
        return []
    schedulers, milestones = resolve_schedules(recipe, Expression("steps"))
    calls = [(f"torch.optim.lr_scheduler.{cls.__name__}", ["optimizer", *format_keywords(options)]) for cls, options in schedulers]
    if follows_metric(recipe):
        head = f"def make_schedule(optimizer: torch.optim.Optimizer) -> {calls[0][0]}:"
        doc = f'    """Make the learning rate schedule, which is stepped with the {recipe.keep.metric} of each epoch."""'
        return ["\n".join([head, doc, *format_call("    return ", *calls[0])])]
    lines = [
        "def make_schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:",
        '    """Make the learning rate schedule over that many steps."""',
    ]
    if len(calls) == 1:
        return ["\n".join([*lines, *format_call("    return ", *calls[0])])]
    names = [stage.name if stage.name.isidentifier() else f"stage{i}" for i, stage in enumerate(recipe.schedule)]
    if len(set(names)) < len(names):
        names = [f"{name}{i + 1}" for i, name in enumerate(names)]
    for name, (cls_, arguments) in zip(names, calls, strict=True):
        lines += format_call(f"    {name} = ", cls_, arguments)
    lines += format_call("    return ", "torch.optim.lr_scheduler.SequentialLR", ["optimizer", f"[{', '.join(names)}]", f"{milestones}"])
    return ["\n".join(lines)]
