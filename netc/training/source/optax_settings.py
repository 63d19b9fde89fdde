"""Emit the optimizer and the schedule of a section for optax, whose optimizers have other names and arguments than PyTorch's.

In: a recipe that has been checked against PyTorch's classes. Out: the text of `make_optimizer(model, steps)`, or a `CompileError` at the
setting that optax cannot say. Always: the steps equal the steps of PyTorch's optimizers, up to rounding.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> from netc.training.recipe import read_recipe
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd lr=0.1 momentum=0.9 }"
    >>> recipe, _ = read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> print(emit_optax_optimizer(recipe).splitlines()[-1].strip())
    return nnx.Optimizer(model, optax.sgd(0.1, momentum=0.9), wrt=nnx.Param)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from netc.compiler.errors.recipe_errors import WrongSetting
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...errors import CompileError
from ...files.file_problems import make_diagnostic
from ..named_setting import NamedSetting
from ..optimizers import compute_stage_lengths, follows_metric, normalize_name, resolve_optimizer, resolve_schedules
from ..recipe import Recipe
from .lines import Expression, format_call, format_keywords, to_literal

KERNELS = ("fused", "foreach", "capturable", "differentiable")
"""Arguments that choose among PyTorch's implementations of a step. They change no number."""


class OptaxOptimizer(Record):
    """An optimizer of optax: a template of its call, with PyTorch's arguments by name. `decays`: PyTorch adds the decay of weights to the
    gradient, which optax does in a step of its own."""

    call: str
    arguments: tuple[str, ...]
    optional: Mapping[str, str] = {}
    decays: bool = False


OPTIMIZERS = {
    "adamw": OptaxOptimizer("optax.adamw({lr}, {betas}, eps={eps}, weight_decay={weight_decay})", ("lr", "betas", "eps", "weight_decay")),
    "adam": OptaxOptimizer("optax.adam({lr}, {betas}, eps={eps})", ("lr", "betas", "eps"), decays=True),
    "sgd": OptaxOptimizer("optax.sgd({lr}{others})", ("lr",), {"momentum": "momentum={}", "nesterov": "nesterov={}"}, decays=True),
    "rmsprop": OptaxOptimizer(
        "optax.rmsprop({lr}, decay={alpha}, eps={eps}, centered={centered}, eps_in_sqrt=False)",
        ("lr", "alpha", "eps", "centered"),
        decays=True,
    ),
}
"""By PyTorch's name in lower case."""


def emit_optax_optimizer(recipe: Recipe) -> str:
    """Emit the function that makes the optimizer. Raises `CompileError`."""
    return "\n".join(_OptimizerEmitter(recipe).emit_function())


def emit_plateau(recipe: Recipe) -> list[str]:
    """Emit the function that makes a schedule that follows a metric; nothing for other schedules. Raises `CompileError`."""
    if not follows_metric(recipe):
        return []
    for rule in recipe.groups:
        for option in rule.options:
            if option.name == "lr" and "min_lr" in recipe.schedule[0].values:
                _refuse("lr", "of a group has another `min_lr` than the section's", option.span, "remove `min_lr` or the group's `lr`")
    cls, options = resolve_optimizer(recipe)
    rate = options.get("lr", inspect.signature(cls).parameters["lr"].default)
    ((_, values),), _ = resolve_schedules(recipe, 1)
    return [
        "\n".join(
            [
                "def make_schedule() -> Plateau:",
                f'    """Make the learning rate schedule, which is stepped with the {recipe.keep.metric} of each epoch."""',
                *format_call("    return ", "Plateau", [to_literal(rate), *format_keywords(values)]),
            ]
        )
    ]


class _OptimizerEmitter:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.cls, self.options = resolve_optimizer(recipe)
        self.name = normalize_name(recipe.optimizer.name)
        self.form = OPTIMIZERS.get(self.name, OptaxOptimizer("", ()))
        if not self.form.call:
            known = ", ".join(f"`{name}`" for name in OPTIMIZERS)
            need = "is an optimizer that the training file of Flax does not have"
            _refuse(recipe.optimizer.name, need, recipe.optimizer.span, f"choose one of {known}")
        self._check_options(recipe.optimizer, recipe.optimizer.options)
        for rule in recipe.groups:
            if rule.optimizer is not None:
                _refuse("optimizer", "of a group is another one than the section's", rule.optimizer.span, "write one `optimizer`")
            self._check_options(recipe.optimizer, rule.options)

    @property
    def defaults(self) -> dict[str, Any]:
        """PyTorch's defaults for all arguments."""
        return {name: p.default for name, p in inspect.signature(self.cls).parameters.items()}

    def emit_function(self) -> Iterator[str]:
        recipe = self.recipe
        has_groups = bool(recipe.groups or recipe.no_decay or recipe.minimized)
        yield "def make_optimizer(model: nnx.Module, steps: int) -> nnx.Optimizer:"
        yield '    """Make the optimizer for a run of that many steps."""'
        yield from _emit_schedule(recipe)
        chain = []
        if recipe.frozen and (recipe.clip_norm or recipe.clip_value):  # frozen parameters do not count in the norm
            chain.append("optax.masked(optax.set_to_zero(), is_frozen)")
        if recipe.clip_value:
            chain.append(f"optax.clip({to_literal(recipe.clip_value)})")
        if recipe.clip_norm:
            chain.append(f"optax.clip_by_global_norm({to_literal(recipe.clip_norm)})")
        if has_groups:
            yield from ("", *self._emit_groups())
            if recipe.minimized:
                chain.append("optax.partition(groups, label_losses)")
                chain += ["optax.scale_by_schedule(scale)"] if recipe.schedule and not follows_metric(recipe) else []
            else:
                chain.append("optax.partition({label: make_transform(**options) for label, options in groups.items()}, label_parameters)")
        else:
            chain.append(self._emit_call({**self.defaults, **self.options}))
        if follows_metric(recipe):
            chain.append("scale_by_plateau()")
        if recipe.frozen:
            chain.append("optax.masked(optax.set_to_zero(), is_frozen)")
        if len(chain) == 1 and len(chain[0]) < 80:
            yield f"    return nnx.Optimizer(model, {chain[0]}, wrt=nnx.Param)"
            return
        yield "    transform = optax.chain("
        yield from (f"        {part}," for part in chain)
        yield "    )"
        yield "    return nnx.Optimizer(model, transform, wrt=nnx.Param)"

    def _emit_groups(self) -> Iterator[str]:
        changed = list(dict.fromkeys(o.name for rule in self.recipe.groups for o in rule.options if o.name not in KERNELS))
        if self.recipe.no_decay and "weight_decay" not in changed:
            changed.append("weight_decay")
        values = {**self.defaults, **self.options}
        arguments = ", ".join(f"{name}: Any = {to_literal(values[name])}" for name in changed)
        yield f"    def make_transform({arguments}) -> optax.GradientTransformation:"
        yield f"        return {self._emit_call(values, frozenset(changed))}"
        yield ""
        yield "    names = jax.tree.leaves(name_parameters(nnx.state(model, nnx.Param)))"
        if self.recipe.minimized:
            yield "    parts = {repr((find_losses(n), find_options(n))): (find_losses(n), find_options(n)) for n in names}"
            yield "    groups = {label: train_in_turns(make_transform(**options), losses) for label, (losses, options) in parts.items()}"
        else:
            yield "    groups = {repr(options): options for options in map(find_options, names)}"

    def _emit_call(self, values: Mapping[str, Any], names: frozenset[str] = frozenset()) -> str:
        """Emit the call. `names` are arguments that are variables."""
        code = {name: name if name in names else to_literal(value) for name, value in values.items() if name in self._known}
        if "betas" in code:
            code["betas"] = "*betas" if "betas" in names else "b1={}, b2={}".format(*map(to_literal, values["betas"]))
        # The steps of a part that several losses train in turns are not the steps of the run, which the schedule counts.
        if self.recipe.schedule and not follows_metric(self.recipe) and not self.recipe.minimized:
            code["lr"] = f"lambda step: {code['lr']} * scale(step)"
        given = [name for name in self.form.optional if name in names or values[name]]
        others = "".join(f", {self.form.optional[name].format(code[name])}" for name in given)
        call = self.form.call.format(**code, others=others)
        decay = values.get("weight_decay")
        if not self.form.decays or not (decay or "weight_decay" in names):
            return call
        return f"optax.chain(optax.add_decayed_weights({code['weight_decay']}), {call})"

    @property
    def _known(self) -> tuple[str, ...]:
        return (*self.form.arguments, *self.form.optional, *(("weight_decay",) if self.form.decays else ()))

    def _check_options(self, owner: NamedSetting, options: tuple[Any, ...]) -> None:
        defaults = self.defaults
        for option in options:
            is_default = option.value == defaults.get(option.name)
            if option.name not in (*self._known, *KERNELS) and not is_default:
                _refuse(option.name, f"of `{owner.name}` is an argument that optax's counterpart does not have", option.span)


def _emit_schedule(recipe: Recipe) -> Iterator[str]:
    """Emit `scale`, the factor of the learning rate by the step."""
    if not recipe.schedule or follows_metric(recipe):
        return
    steps = Expression("STEPS" if recipe.steps is not None else "steps")
    lengths = compute_stage_lengths(recipe.schedule, steps)
    calls = [_emit_stage(stage, to_literal(length)) for stage, length in zip(recipe.schedule, lengths, strict=True)]
    if len(calls) == 1:
        yield f"    scale = {calls[0]}"
        return
    ends = [sum(lengths[: i + 1]) for i in range(len(calls) - 1)]
    yield "    scale = optax.join_schedules("
    yield f"        [{', '.join(calls)}],"
    yield f"        {ends},"
    yield "    )"


def _emit_stage(stage: NamedSetting, length: str) -> str:
    make = STAGES.get(normalize_name(stage.name))
    if make is None:
        known = ", ".join(f"`{name}`" for name in STAGES)
        _refuse(stage.name, "is a schedule that the training file of Flax does not have", stage.span, f"choose one of {known}")
    return make(length, float(stage.values.get("to", 0.0)))


STAGES: dict[str, Callable[[str, float], str]] = {
    "warmup": lambda length, to: f"optax.linear_schedule({_invert(length)}, 1.0, {length})",
    "cosine": lambda length, to: f"optax.cosine_decay_schedule(1.0, {length}{f', {to!r}' if to else ''})",
    "linear": lambda length, to: f"optax.linear_schedule(1.0, {to!r}, {length})",
    "constant": lambda length, to: "optax.constant_schedule(1.0)",
}
"""Optax's schedules for netc's, by the number of steps and the factor at the end."""


def _invert(length: str) -> str:
    return f"1 / {length}" if length.isdecimal() else f"1 / max(1, {length})"


def _refuse(what: str, need: str, span: Span, remedy: str = "") -> NoReturn:
    raise CompileError((make_diagnostic(WrongSetting(what, need, remedy), span),))
