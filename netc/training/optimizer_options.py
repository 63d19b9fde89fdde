"""Check the arguments of optimizers and schedules against PyTorch's own classes.

In: a `Recipe`. Out: diagnostics at the spans of the settings. Always: the installed PyTorch decides. Names and arguments come from its
classes and their signatures; its constructors judge the values, called with a parameter of four numbers.

    >>> import torch
    >>> find_refusal(lambda arguments: torch.optim.SGD([torch.zeros(4)], **arguments), {"lr": -1.0})
    'invalid learning rate: -1.0'
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

from ..files.file_problems import make_diagnostic
from ..reference.foreign_names import UNUSABLE
from .keep_rule import CHOOSE, FOLLOWS_NOTHING
from .named_setting import NamedSetting
from .optimizers import NAMED_SCHEDULES, Schedule, fill_step_counts, list_keyword_options, list_optimizers, list_schedulers, normalize_name
from .option_kinds import OptionKinds
from .recipe import USUAL_REMEDY, Recipe
from .setting_values import describe_found, is_number

Constructor = Callable[[dict[str, Any]], object]
LocatedProblem = tuple[Problem, Span]
PLATEAU = "reducelronplateau"
"""The schedule that is stepped once in an epoch, with the metric that `keep` names."""
NEEDS = "it needs"
TO = "write `to=0.1` to end at a tenth of the learning rate"
TORCH_ARGUMENTS = {"cosine": {"eta_min": "cosine_annealing eta_min={}"}, "linear": {"end_factor": "to={}"}}
"""Arguments of PyTorch's class that people write, and what to write instead, by schedule."""
TRIED_STEPS = 5
"""The number of steps of a schedule that are tried."""
FUNCTION_SCHEDULES = ("lambda", "multiplicative")
"""Schedules whose argument is a Python function, which a spec cannot have."""


def check_options(recipe: Recipe) -> list[Diagnostic]:
    """Check the names and arguments of the optimizer, the groups and the schedule."""
    return [make_diagnostic(problem, span) for problem, span in (*_check_optimizer(recipe), *_check_schedule(recipe))]


def _check_optimizer(recipe: Recipe) -> Iterable[tuple[Problem, Span]]:
    named, classes = recipe.optimizer, list_optimizers()
    yield from _check_optimizer_setting(named)
    is_known = normalize_name(named.name) in classes.keys() - UNUSABLE.keys()
    for rule in recipe.groups:
        if rule.optimizer is not None or is_known:
            yield from _check_optimizer_setting(rule.optimizer or NamedSetting(named.name, named.span, (), rule.options))


def _check_optimizer_setting(named: NamedSetting) -> Iterable[tuple[Problem, Span]]:
    """Check the name of an optimizer and its arguments."""
    if not named.name:
        return  # reported when the settings were read
    classes = list_optimizers()
    cls = classes.get(normalize_name(named.name))
    if cls is None:
        yield (
            UnknownChoice("optimizer", named.name, tuple(find_similar_names(normalize_name(named.name), list(classes))), tuple(classes)),
            named.span,
        )
        return
    if normalize_name(named.name) in UNUSABLE:
        yield WrongSetting(named.name, UNUSABLE[normalize_name(named.name)], USUAL_REMEDY), named.span
        return
    for argument in named.positional:
        yield WrongSetting(named.name, "takes its arguments by name", f"write `lr={argument.value}`"), argument.span
    known = list_keyword_options(cls, 1)
    yield from check_arguments(named.name, named.options, known)
    yield from check_values(cls, named, named.options, known, partial(_try_optimizer, cls))


def _check_schedule(recipe: Recipe) -> Iterable[tuple[Problem, Span]]:
    classes = {name: c for name, c in list_schedulers().items() if name not in FUNCTION_SCHEDULES}
    known = (*NAMED_SCHEDULES, *(name if name not in NAMED_SCHEDULES else f"{name}lr" for name in classes))
    for index, stage in enumerate(recipe.schedule):
        name = normalize_name(stage.name)
        if not name:
            continue
        if name not in NAMED_SCHEDULES:
            name = name.removesuffix("lr")
        if name not in classes and name not in NAMED_SCHEDULES:
            why = "takes a Python function, which a spec cannot have" if name in FUNCTION_SCHEDULES else ""
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
        if name == PLATEAU and not recipe.keep.is_chosen:
            yield WrongSetting(stage.name, FOLLOWS_NOTHING, CHOOSE), stage.span
        if index < len(recipe.schedule) - 1 and not stage.positional:
            remedy = f"write `{stage.name} 1000 -> ...`"
            yield WrongSetting(stage.name, "needs its number of steps, as another schedule follows", remedy), stage.span
        if normalize_name(stage.name) in NAMED_SCHEDULES:
            yield from check_arguments(
                stage.name, stage.options, ("to",) if name in ("cosine", "linear") else (), TORCH_ARGUMENTS.get(name, {})
            )
            for option in (o for o in stage.options if o.name == "to" and not (is_number(o.value) and 0 <= o.value <= 1)):
                yield WrongSetting("to", f"must be a factor of the rate, from 0 to 1, {describe_found(option.value)}", TO), option.span
            continue
        cls = classes[name]
        known_options = tuple(n for n in list_keyword_options(cls, 1) if n not in ("last_epoch", "verbose"))
        yield from check_arguments(stage.name, stage.options, known_options)
        yield from check_values(cls, stage, stage.options, known_options, partial(_try_scheduler, cls))


def _try_optimizer(cls: type[torch.optim.Optimizer], arguments: dict[str, Any]) -> None:
    """Make the optimizer and one step."""
    # `capturable` is refused on the CPU in the first step. Whether it is right depends on the run's device, so the step is made without it.
    parameter = nn.Parameter(torch.zeros(2, 2))
    cls([parameter], **arguments)
    optimizer = cls([parameter], **{name: value for name, value in arguments.items() if name != "capturable"})
    parameter.grad = torch.ones(2, 2)
    optimizer.step()


def _try_scheduler(cls: type[Schedule], arguments: dict[str, Any]) -> None:
    """Make the schedule and a few steps, because some arguments are used only in these."""
    optimizer = _make_dummy_optimizer()
    scheduler: Any = cls(optimizer, **fill_step_counts(cls, arguments, TRIED_STEPS))
    optimizer.step()
    for _ in range(min(TRIED_STEPS, getattr(scheduler, "total_steps", TRIED_STEPS))):  # OneCycleLR raises an error after its last step
        scheduler.step(*((1.0,) if cls is torch.optim.lr_scheduler.ReduceLROnPlateau else ()))


def _make_dummy_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(2, 2))], lr=0.1, momentum=0.9)


def check_arguments(
    owner: str, options: tuple[SettingArgument, ...], known: tuple[str, ...], others: Mapping[str, str] = {}
) -> Iterable[tuple[Problem, Span]]:
    """Report arguments that `owner` does not have, or that are given twice. `others` has what to write instead of arguments of PyTorch."""
    seen: set[str] = set()
    for option in options:
        if option.name in others:
            remedy = f"write `{others[option.name].format(option.value)}`"
            yield WrongSetting(owner, f"has no argument `{option.name}`", remedy), option.name_span
        elif option.name not in known:
            usual = OPTIMIZER_ARGUMENTS.get(option.name)
            alike = (usual,) if usual in known else tuple(find_similar_names(option.name, known))
            yield UnknownOption(owner, option.name, alike, known), option.name_span
        elif option.name in seen:
            yield WrongSetting(option.name, "is given twice"), option.name_span
        seen.add(option.name)


def check_values(
    cls: type,
    owner: NamedSetting,
    options: tuple[SettingArgument, ...],
    known: tuple[str, ...],
    make: Constructor,
    library: str = "PyTorch",
) -> Iterable[LocatedProblem]:
    """Report values of wrong types, else the refusal of the values by the class's library, at the value that causes it."""
    # The types are checked here, because PyTorch accepts any value for a flag, and fails only in some implementations of a step.
    parameters = inspect.signature(cls).parameters
    needs = [
        (option, OptionKinds.from_parameter(parameters[option.name]).describe_mismatch(option.value))
        for option in options
        if option.name in known
    ]
    problems = [(WrongSetting(option.name, f"{need}, {describe_found(option.value)}"), option.span) for option, need in needs if need]
    yield from problems or _find_refusals(owner, options, known, make, library)


def _find_refusals(
    owner: NamedSetting, options: tuple[SettingArgument, ...], known: tuple[str, ...], make: Constructor, library: str
) -> Iterable[LocatedProblem]:
    chosen = {o.name: o for o in options if o.name in known}
    arguments = {name: tuple(o.value) if isinstance(o.value, tuple) else o.value for name, o in chosen.items()}
    why = find_refusal(make, arguments)
    if not why:
        return
    culprit = None if why.startswith(NEEDS) else next((o for name, o in chosen.items() if _is_culprit(name, arguments, why, make)), None)
    named = owner if culprit is None else culprit
    yield WrongSetting(named.name, f"is refused by {library}: {why}"), named.span


def _is_culprit(name: str, arguments: Mapping[str, Any], why: str, make: Constructor) -> bool:
    """Whether PyTorch accepts the other arguments without this one, or refuses this one alone for the same reason. The latter finds the
    first of several wrong values."""
    others = {other: value for other, value in arguments.items() if other != name}
    return not find_refusal(make, others) or find_refusal(make, {name: arguments[name]}) == why


def find_refusal(make: Constructor, arguments: Mapping[str, Any]) -> str:
    """Return PyTorch's message, or nothing if it accepts the arguments."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make(dict(arguments))
    except (TypeError, AttributeError) as error:
        missing = re.findall(r"'(\w+)'", str(error)) if "missing" in str(error) else []
        return f"{NEEDS} {' and '.join(f'`{name}`' for name in missing)}" if missing else "it takes a value of another type"
    except ZeroDivisionError:
        return "it divides by zero"
    except Exception as error:  # whatever PyTorch raises here, the arguments are the cause
        text = str(error).strip().split("\n")[0] or type(error).__name__
        return text[:1].lower() + text[1:].rstrip(".")
    return ""
