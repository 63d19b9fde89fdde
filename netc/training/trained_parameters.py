"""Check that parameters are trained, and that PyTorch's optimizer and schedule accept them.

In: a train section with its recipe, and the number of steps if it is known. Out: diagnostics. Always: the constructors are called with
parameters of the model's shapes that take no memory.

For example, with `freeze "*"` the error is "there is nothing to train: all parameters are frozen".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.optim import lr_scheduler

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.errors.training_errors import NothingTrained
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import collect_graphs, find_needed_nodes
from netc.dsl.diagnostics import Diagnostic

from ..files.file_problems import make_diagnostic
from .optimizer_options import find_refusal
from .optimizers import SchedulerCall, compute_stage_lengths, make_schedule, resolve_schedules
from .recipe import USUAL_REMEDY, Recipe
from .section_file import SectionFile
from .source import emit_settings_file

STEPS = 10
"""The steps of a schedule if their number is not known."""


def check_trained(training: Training, recipe: Recipe) -> Diagnostic | None:
    """Report that no parameter of the model is trained, or that the loss depends on none."""
    shapes = _list_shapes(training)
    if not shapes:
        return make_diagnostic(NothingTrained("the model has no parameters"), training.loss_span)
    if recipe.frozen and all(any(fnmatchcase(name, p.text) for p in recipe.frozen) for name in shapes):
        return make_diagnostic(NothingTrained("all parameters are frozen"), recipe.frozen[0].span)
    main = training.program.main
    for name, value in zip(training.losses, main.outputs, strict=False):
        if not _has_trainable_source(main, [value]):
            what = "the loss" if len(training.losses) == 1 else f"the loss `{name}`"
            return make_diagnostic(NothingTrained(f"{what} depends on no parameter"), training.spans[name])
    return None


def check_construction(training: Training, recipe: Recipe, steps: int | None) -> Iterator[Diagnostic]:
    """Report PyTorch's refusal of the optimizer for the model's parameters, or of the schedule for this optimizer."""
    file, model = SectionFile(emit_settings_file(recipe)), _ShapeModule(_list_shapes(training))
    why = find_refusal(lambda given: file.make_optimizer(model), {})
    if why:
        yield _refusal_diagnostic(recipe.optimizer.name, why, recipe.optimizer.span, USUAL_REMEDY)
        return
    if not recipe.schedule:
        return
    optimizer = file.make_optimizer(model)
    why = find_refusal(lambda given: make_schedule(file, optimizer, recipe, steps or STEPS), {})
    if why:
        yield _refusal_diagnostic(recipe.schedule[0].name, why, recipe.schedule[0].span)
    elif steps is not None:
        calls, _ = resolve_schedules(recipe, steps)
        for stage, call, length in zip(recipe.schedule, calls, compute_stage_lengths(recipe.schedule, steps), strict=True):
            cycle_length = _find_cycle_length(call)
            if cycle_length is not None and cycle_length < length:
                yield make_diagnostic(WrongSetting(stage.name, f"is {cycle_length} steps long, and there are {length}"), stage.span)


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
