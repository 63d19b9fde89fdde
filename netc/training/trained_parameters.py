"""Check that parameters are trained, and that PyTorch's optimizer and schedule accept them.

In: a train section with its recipe, and the number of steps if it is known. Out: diagnostics. Always: the constructors are called with
parameters of the model's shapes that take no memory.

For example, with `freeze "*"` the error is "there is nothing to train: all parameters are frozen".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.optim import lr_scheduler

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.errors.recipe_errors import UnknownOption, WrongSetting
from netc.compiler.errors.training_errors import NothingTrained
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MINIMIZE, MODEL, Training
from netc.compiler.ir.walk import collect_graphs, find_needed_nodes
from netc.dsl.diagnostics import Diagnostic

from ..files.file_problems import make_diagnostic
from .follow_rules import FOLLOW
from .named_setting import NamedSetting
from .optimizer_options import find_refusal
from .optimizers import (
    SchedulerCall,
    compute_stage_lengths,
    list_keyword_options,
    list_used_optimizers,
    make_schedule,
    normalize_name,
    resolve_schedules,
)
from .parameter_patterns import Pattern
from .recipe import USUAL_REMEDY, Recipe
from .section_file import SectionFile
from .source import emit_settings_file

MATRICES_REMEDY = 'it is for matrices: give other parameters another optimizer, such as `group "*bias" optimizer=adamw lr=1e-3`'
"""The help for Muon, which no model with biases or normalization can have for all parameters."""
STEPS = 10
"""The steps of a schedule if their number is not known."""


def check_trained(training: Training, recipe: Recipe) -> Diagnostic | None:
    """Report that no parameter of the model is trained, or that the loss depends on none."""
    shapes = _list_shapes(training)
    if not shapes:
        return make_diagnostic(NothingTrained("the model has no parameters"), training.loss_span)
    if recipe.frozen and all(_matches(name, recipe.frozen) for name in shapes):
        return make_diagnostic(NothingTrained("all parameters are frozen"), recipe.frozen[0].span)
    main = training.program.main
    for name, value in zip(training.losses, main.outputs, strict=False):
        if not _has_trainable_source(main, [value]):
            what = "the loss" if len(training.losses) == 1 else f"the loss `{name}`"
            return make_diagnostic(NothingTrained(f"{what} depends on no parameter"), training.spans[name])
    return None


def check_minimized(training: Training, recipe: Recipe) -> Iterator[Diagnostic]:
    """Report losses of `minimize` that train nothing, and parameters that no loss trains."""
    names = list(_list_shapes(training))
    if not all(any(_matches(name, (pattern,)) for name in names) for rule in recipe.minimized for pattern in rule.patterns):
        return  # a pattern without a match is an error of its own
    trained = [name for name in names if not _matches(name, recipe.frozen)]
    for rule in recipe.minimized:
        if not any(_matches(name, rule.patterns) for name in trained):
            yield make_diagnostic(NothingTrained(f"all parameters of `{rule.loss}` are frozen"), rule.span)
    left = [name for name in trained if not any(_matches(name, rule.patterns) for rule in recipe.minimized)]
    if recipe.minimized and left:
        remedy = f'add a pattern to a `minimize` line, or write `freeze "{left[0]}"`'
        yield make_diagnostic(
            WrongSetting(MINIMIZE, f"leaves `{left[0]}` without a loss that trains it", remedy), recipe.minimized[-1].span
        )


def check_followers(training: Training, recipe: Recipe) -> Iterator[Diagnostic]:
    """Report parameters of `follow` that follow no parameter, themselves, a parameter of another shape, or two parameters."""
    shapes, followed_by = _list_shapes(training), dict[str, str]()
    for rule in recipe.follows:
        for name in shapes:
            followed = rule.find_followed(name)
            if not followed:
                continue
            why = _find_wrong_pair(name, followed, shapes, followed_by)
            if why:
                yield make_diagnostic(WrongSetting(FOLLOW, why), rule.span)
                break
            followed_by[name] = followed


def _find_wrong_pair(name: str, followed: str, shapes: Mapping[str, tuple[int, ...]], followed_by: Mapping[str, str]) -> str:
    """Say why a parameter cannot follow another one; empty if it can."""
    if followed not in shapes:
        return f"has nothing that `{name}` follows: the model has no parameter `{followed}`"
    if followed == name:
        return f"lets `{name}` follow itself"
    if name in followed_by:
        return f"lets `{name}` follow `{followed}`, and it follows `{followed_by[name]}`"
    if shapes[followed] != shapes[name]:
        return f"takes parameters of the same shapes: `{name}` is {list(shapes[name])}, and `{followed}` is {list(shapes[followed])}"
    return ""


def _matches(name: str, patterns: Iterable[Pattern]) -> bool:
    return any(fnmatchcase(name, pattern.text) for pattern in patterns)


def check_construction(training: Training, recipe: Recipe, steps: int | None) -> Iterator[Diagnostic]:
    """Report PyTorch's refusal of the optimizer for the model's parameters, or of the schedule for this optimizer."""
    file, model = SectionFile(emit_settings_file(recipe)), _ShapeModule(_list_shapes(training))
    why = find_refusal(lambda given: file.make_optimizer(model), {})
    if why:
        refused = _find_refused_optimizer(recipe, file, model)
        remedy = MATRICES_REMEDY if normalize_name(refused.name) == "muon" else USUAL_REMEDY
        yield _refusal_diagnostic(refused.name, why, refused.span, remedy)
        return
    optimizer = file.make_optimizer(model)
    yield from _check_combined_groups(recipe, optimizer)
    if not recipe.schedule:
        return
    why = find_refusal(lambda given: make_schedule(file, optimizer, recipe, steps or STEPS), {})
    if why:
        yield _refusal_diagnostic(recipe.schedule[0].name, why, recipe.schedule[0].span)
    elif steps is not None:
        calls, _ = resolve_schedules(recipe, steps)
        for stage, call, length in zip(recipe.schedule, calls, compute_stage_lengths(recipe.schedule, steps), strict=True):
            cycle_length = _find_cycle_length(call)
            if cycle_length is not None and cycle_length < length:
                yield make_diagnostic(WrongSetting(stage.name, f"is {cycle_length} steps long, and there are {length}"), stage.span)


def _find_refused_optimizer(recipe: Recipe, file: SectionFile, model: nn.Module) -> NamedSetting:
    """Find the optimizer that PyTorch refuses for its parameters."""
    optimizers, named = list_used_optimizers(recipe), (recipe.optimizer, *(rule.optimizer for rule in recipe.groups))
    if len(optimizers) == 1:
        return recipe.optimizer
    groups = file.make_parameter_groups(model)
    for setting in (setting for setting in named if setting is not None):
        name = normalize_name(setting.name)
        cls, options = optimizers[name]
        own = [group for group in groups if group["optimizer"] == name]
        if own and find_refusal(lambda given, cls=cls, own=own: cls(own, **given), options):  # type: ignore[misc]
            return setting
    return recipe.optimizer


def _check_combined_groups(recipe: Recipe, optimizer: torch.optim.Optimizer) -> Iterator[Diagnostic]:
    """Report arguments that reach parameters whose optimizer does not have them, where a group changes the optimizer of another one."""
    known = {name: list_keyword_options(cls, 1) for name, (cls, _) in list_used_optimizers(recipe).items()}
    if len(known) == 1:
        return
    for option in (option for rule in recipe.groups for option in rule.options):
        owners = [group["optimizer"] for group in optimizer.param_groups if option.name in group]
        owner = next((name for name in owners if option.name not in known[name]), None)
        if owner is not None:
            yield make_diagnostic(UnknownOption(owner, option.name, (), known[owner]), option.name_span)


def _refusal_diagnostic(name: str, why: str, span: object, remedy: str = "") -> Diagnostic:
    return make_diagnostic(WrongSetting(name, f"is refused by PyTorch: {why}", remedy), span)  # type: ignore[arg-type]


def _find_cycle_length(chosen: SchedulerCall) -> int | None:
    """Return the number of steps after which OneCycleLR raises an error; None for other schedulers."""
    cls, options = chosen
    if cls is not lr_scheduler.OneCycleLR:
        return None
    total = options.get("total_steps")
    return int(total if total is not None else options.get("epochs", 0) * options.get("steps_per_epoch", 0))


class _ShapeModule(nn.Module):
    """Parameters with the model's names and shapes. Each is one number in memory, expanded to its shape."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.stand_ins = {name: nn.Parameter(torch.zeros(()).expand(shape)) for name, shape in shapes.items()}

    def named_parameters(self, *args: object, **options: object) -> Iterator[tuple[str, nn.Parameter]]:
        yield from self.stand_ins.items()

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        yield from self.stand_ins.values()


def _list_shapes(training: Training) -> dict[str, tuple[int, ...]]:
    """List the shapes of the parameters that can be trained, tied ones once."""
    infos = collect_parameters(training.program).items()
    return {n.removeprefix(f"{MODEL}."): p.shape for n, p in infos if p.trainable and not p.frozen and p.tied_to is None}


def _has_trainable_source(graph: Graph, values: list[Value]) -> bool:
    """Whether the values depend on parameters that can be trained."""
    nodes = list(find_needed_nodes(graph.nodes, values))
    used = {id(v) for v in values} | {id(v) for node in nodes for v in node.inputs}
    return any(_has_parameters(node, lambda v: id(v) in used) for node in nodes)


def _has_parameters(node: Node, is_used: Callable[[Value], bool]) -> bool:
    if isinstance(node, CallNode) and node.label == MODEL:
        return _has_trainable_source(
            node.graph, [inner for inner, outer in zip(node.graph.outputs, node.outputs, strict=True) if is_used(outer)]
        )
    nodes = [node] if isinstance(node, OpNode) else [n for g in collect_graphs(node.graph) for n in g.nodes if isinstance(n, OpNode)]
    return any(spec.trainable for op_node in nodes for spec in op_node.specs)
