"""The arguments of optimizers and schedules, held against PyTorch's own classes.

In: a `Recipe`. Out: diagnostics at the settings' places. Always: names and arguments are those of the installed PyTorch, read off its
classes and their signatures; values are judged by PyTorch's constructors, called with a parameter of two numbers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from netc.compiler.elaborate.names.setting_words import OPTIMIZER_ARGUMENTS
from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import UnknownChoice, UnknownOption, WrongSetting
from netc.compiler.ir.training_program import SettingArgument
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.source import Span

from ..files.file_problems import diagnostic
from ..reference.foreign_names import UNUSABLE
from .optimizers import SHAPES, Schedule, fill, key, keyword_options, optimizer_classes, scheduler_classes
from .option_kinds import Kinds
from .recipe import USUAL, Named, Recipe, found, is_number

Make = Callable[[dict[str, Any]], object]
Found = tuple[Problem, Span]
PLATEAU = "reducelronplateau"
"""The schedule that is stepped once an epoch, with the metric that `keep` names."""
NEEDS = "it needs"
TO = "write `to=0.1` to end at a tenth of the learning rate"
OF_SHAPES = {"cosine": {"eta_min": "cosine_annealing eta_min={}"}, "linear": {"end_factor": "to={}"}}
"""By schedule, arguments of PyTorch's class, and the words to write instead."""
TRIED = 5
"""Steps of a schedule that are tried."""
OF_FUNCTIONS = ("lambda", "multiplicative")
"""Schedules whose argument is a Python function."""


def check_options(recipe: Recipe) -> list[Diagnostic]:
    """What is wrong with the names and arguments of the optimizer, the groups and the schedule."""
    return [diagnostic(problem, span) for problem, span in (*_optimizer(recipe), *_schedule(recipe))]


def _optimizer(recipe: Recipe) -> Iterable[tuple[Problem, Span]]:
    named = recipe.optimizer
    if not named.name:
        return  # reported when the settings were read
    classes = optimizer_classes()
    cls = classes.get(key(named.name))
    if cls is None:
        yield UnknownChoice("optimizer", named.name, tuple(find_similar_names(key(named.name), list(classes))), tuple(classes)), named.span
        return
    if key(named.name) in UNUSABLE:
        yield WrongSetting(named.name, UNUSABLE[key(named.name)], USUAL), named.span
        return
    for argument in named.positional:
        yield WrongSetting(named.name, "takes its arguments by name", f"write `lr={argument.value}`"), argument.span
    taken = keyword_options(cls, 1)
    yield from _arguments(named.name, named.options, taken)
    for rule in recipe.groups:
        yield from _arguments(named.name, rule.options, taken)
    for options in (named.options, *(rule.options for rule in recipe.groups)):
        yield from _values(cls, named, options, taken, partial(_step, cls))


def _schedule(recipe: Recipe) -> Iterable[tuple[Problem, Span]]:
    classes = {name: c for name, c in scheduler_classes().items() if name not in OF_FUNCTIONS}
    known = (*SHAPES, *(name if name not in SHAPES else f"{name}lr" for name in classes))
    for index, stage in enumerate(recipe.schedule):
        name = key(stage.name)
        if not name:
            continue
        if name not in SHAPES:
            name = name.removesuffix("lr")
        if name not in classes and name not in SHAPES:
            why = "takes a Python function, which a spec cannot have" if name in OF_FUNCTIONS else ""
            problem = (
                WrongSetting(stage.name, why)
                if why
                else UnknownChoice("schedule", stage.name, tuple(find_similar_names(name, known)), known)
            )
            yield problem, stage.span
            continue
        for argument in stage.positional:
            if not isinstance(argument.value, int) or isinstance(argument.value, bool) or argument.value < 1:
                yield WrongSetting(stage.name, "takes a number of steps, an integer of at least 1"), argument.span
        if len(stage.positional) > 1:
            yield WrongSetting(stage.name, "takes one number of steps"), stage.positional[1].span
        if name == PLATEAU and len(recipe.schedule) > 1:
            yield WrongSetting(stage.name, "follows a metric, and cannot be part of a schedule with `->`"), stage.span
        if index < len(recipe.schedule) - 1 and not stage.positional:
            remedy = f"write `{stage.name} 1000 -> ...`"
            yield WrongSetting(stage.name, "needs its number of steps, as another schedule follows", remedy), stage.span
        if key(stage.name) in SHAPES:
            yield from _arguments(stage.name, stage.options, ("to",) if name in ("cosine", "linear") else (), OF_SHAPES.get(name, {}))
            for option in (o for o in stage.options if o.name == "to" and not (is_number(o.value) and 0 <= o.value <= 1)):
                yield WrongSetting("to", f"must be a factor of the rate, from 0 to 1, {found(option.value)}", TO), option.span
            continue
        cls = classes[name]
        taken = tuple(n for n in keyword_options(cls, 1) if n not in ("last_epoch", "verbose"))
        yield from _arguments(stage.name, stage.options, taken)
        yield from _values(cls, stage, stage.options, taken, partial(_scheduler, cls))


def _step(cls: type[torch.optim.Optimizer], given: dict[str, Any]) -> None:
    """Makes the optimizer and a step; whether it can be `capturable` is a matter of the device."""
    parameter = nn.Parameter(torch.zeros(2, 2))
    cls([parameter], **given)
    optimizer = cls([parameter], **{name: value for name, value in given.items() if name != "capturable"})
    parameter.grad = torch.ones(2, 2)
    optimizer.step()


def _scheduler(cls: type[Schedule], given: dict[str, Any]) -> None:
    """Makes the schedule and a few steps: some arguments are used by these alone."""
    optimizer = _dummy()
    made: Any = cls(optimizer, **fill(cls, given, TRIED))
    optimizer.step()
    for _ in range(min(TRIED, getattr(made, "total_steps", TRIED))):  # OneCycleLR takes no more than its own
        made.step(*((1.0,) if cls is torch.optim.lr_scheduler.ReduceLROnPlateau else ()))


def _dummy() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(2, 2))], lr=0.1, momentum=0.9)


def _arguments(
    owner: str, options: tuple[SettingArgument, ...], taken: tuple[str, ...], others: Mapping[str, str] = {}
) -> Iterable[tuple[Problem, Span]]:
    """Reports arguments that `owner` does not have, or that are given twice. `others`: the words to write for arguments of PyTorch."""
    seen: set[str] = set()
    for option in options:
        if option.name in others:
            remedy = f"write `{others[option.name].format(option.value)}`"
            yield WrongSetting(owner, f"has no argument `{option.name}`", remedy), option.name_span
        elif option.name not in taken:
            usual = OPTIMIZER_ARGUMENTS.get(option.name)
            alike = (usual,) if usual in taken else tuple(find_similar_names(option.name, taken))
            yield UnknownOption(owner, option.name, alike, taken), option.name_span
        elif option.name in seen:
            yield WrongSetting(option.name, "is given twice"), option.name_span
        seen.add(option.name)


def _values(cls: type, owner: Named, options: tuple[SettingArgument, ...], taken: tuple[str, ...], make: Make) -> Iterable[Found]:
    """Values of other types than PyTorch declares; or what it says of them all, at the one without which it takes the others. PyTorch
    itself takes any value for a flag, and fails only in some of the ways to compute a step."""
    parameters = inspect.signature(cls).parameters
    needs = [(option, Kinds.of(parameters[option.name]).need(option.value)) for option in options if option.name in taken]
    wrong = [(WrongSetting(option.name, f"{need}, {found(option.value)}"), option.span) for option, need in needs if need]
    yield from wrong or _refusals(owner, options, taken, make)


def _refusals(owner: Named, options: tuple[SettingArgument, ...], taken: tuple[str, ...], make: Make) -> Iterable[Found]:
    chosen = {o.name: o for o in options if o.name in taken}
    given = {name: tuple(o.value) if isinstance(o.value, tuple) else o.value for name, o in chosen.items()}
    why = refusal(make, given)
    if not why:
        return
    culprit = None if why.startswith(NEEDS) else next((o for name, o in chosen.items() if _is_culprit(name, given, why, make)), None)
    named = owner if culprit is None else culprit
    yield WrongSetting(named.name, f"is refused by PyTorch: {why}"), named.span


def _is_culprit(name: str, given: Mapping[str, Any], why: str, make: Make) -> bool:
    """Whether PyTorch accepts the other arguments, or refuses this one alone for the same reason, as if several are wrong."""
    others = {other: value for other, value in given.items() if other != name}
    return not refusal(make, others) or refusal(make, {name: given[name]}) == why


def refusal(make: Make, given: Mapping[str, Any]) -> str:
    """PyTorch's message, empty if it takes the arguments."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make(dict(given))
    except (TypeError, AttributeError) as error:
        missing = re.findall(r"'(\w+)'", str(error)) if "missing" in str(error) else []
        return f"{NEEDS} {' and '.join(f'`{name}`' for name in missing)}" if missing else "it takes a value of another type"
    except ZeroDivisionError:
        return "it divides by zero"
    except Exception as error:  # whatever PyTorch raises, it is the arguments that it does not take
        text = str(error).strip().split("\n")[0] or type(error).__name__
        return text[:1].lower() + text[1:].rstrip(".")
    return ""
