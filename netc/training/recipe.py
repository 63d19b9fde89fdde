"""Read the settings of a train section into typed records.

In: the evaluated `Setting`s. Out: a `Recipe` with defaults, and a list of diagnostics. Always: PyTorch is not imported, because `netc
check` reads recipes too; optimizer_options.py checks the names and options of optimizers and schedules.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd lr=0.1; epochs 3 }"
    >>> recipe, problems = read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> recipe.epochs, recipe.optimizer.name, recipe.batch
    (3, 'sgd', 32)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Setting, SettingArgument, SettingStage, Training
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..files.file_problems import make_diagnostic
from .augmentation import Augmentation, read_augmentations
from .balance_rules import BalanceRule, read_balances
from .data.data_columns import ColumnSpec
from .data.rules import WEIGHT, read_data_arguments
from .data.table_rules import NO_RULES, TableRules, read_table_rules
from .draw_rules import Draw, read_draws
from .follow_rules import FollowRule, read_follows
from .keep_rule import KeepRule, read_keep
from .measure_rules import MeasureRule, read_measures
from .minimize_rules import MinimizeRule, read_minimized
from .named_setting import NamedSetting
from .parameter_patterns import Pattern, read_patterns
from .setting_values import (
    convert_none_options,
    describe_found,
    is_count,
    is_int,
    is_number,
    is_positive,
)
from .stop_rule import StopRule, read_stop
from .vary_rules import VaryRule, read_varied

OPTIMIZER, LEARNING_RATE = "adamw", 1e-3
USUAL_REMEDY = f"for most models, write `optimizer {OPTIMIZER} lr=1e-3`"
EPOCHS, BATCH = 10, 32
SEEDS = 2**63
"""The limit of seeds: PyTorch's generators take 64-bit integers with a sign."""


class GroupRule(Record):
    """Options for the parameters whose names match `pattern`, and the optimizer that updates them, None for the section's."""

    pattern: Pattern
    options: tuple[SettingArgument, ...]
    optimizer: NamedSetting | None = None


class DataRule(Record):
    """The origin of data: a format and a path. `columns` maps inputs to columns, `options` are options of the format. `weight`: the share
    of an epoch's samples, relative to the other data; None if the line has none."""

    format: str
    path: str
    columns: dict[str, ColumnSpec]
    span: Span
    options: dict[str, Any] = {}
    weight: float | None = None


class Stratify(Record):
    """The input of the data whose classes have the same shares in training and validation."""

    input: str
    span: Span


class Recipe(Record):
    """All settings, with defaults. If `steps` is None, `epochs` decides. `validation` is a share of the data, or 0; `stratify` keeps the
    shares of an input's classes in it."""

    optimizer: NamedSetting
    groups: tuple[GroupRule, ...]
    no_decay: tuple[Pattern, ...]
    schedule: tuple[NamedSetting, ...]
    epochs: int
    steps: int | None
    batch: int
    accumulate: int
    clip_norm: float | None
    clip_value: float | None
    ema: float | None
    freeze: tuple[Pattern, ...]
    keep: KeepRule
    measures: tuple[MeasureRule, ...]
    stop: StopRule | None
    sources: tuple[DataRule, ...]
    validate: DataRule | None
    validation: float
    stratify: Stratify | None
    draws: tuple[Draw, ...]
    augmentations: tuple[Augmentation, ...]
    seed: int
    table_rules: TableRules = NO_RULES
    balances: tuple[BalanceRule, ...] = ()
    varied: tuple[VaryRule, ...] = ()
    minimized: tuple[MinimizeRule, ...] = ()
    follows: tuple[FollowRule, ...] = ()

    @property
    def frozen(self) -> tuple[Pattern, ...]:
        """The patterns of parameters that no step of the optimizer changes."""
        return (*self.freeze, *(rule.follower for rule in self.follows))

    @property
    def data(self) -> DataRule | None:
        """The first data of the section. Its columns and paths of options are the defaults of all other data."""
        return next(iter(self.sources), None)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the data, 1 where a line has none; empty if no line has one."""
        weights = tuple(rule.weight for rule in self.sources)
        return tuple(1.0 if weight is None else weight for weight in weights) if any(weights) else ()

    @property
    def validates(self) -> bool:
        """Whether the section has validation data."""
        return bool(self.validation) or self.validate is not None

    @property
    def computed_inputs(self) -> frozenset[str]:
        """The inputs that are not read from data."""
        computed = [*(draw.input for draw in self.draws), *(rule.input for rule in self.balances), *(rule.input for rule in self.varied)]
        return frozenset(computed)

    def count_steps(self, samples: int) -> int:
        """Return the number of steps of a run on that many samples."""
        return self.steps if self.steps is not None else self.epochs * -(-samples // self.batch)


class _RecipeReader:
    """Reads the settings, and collects problems instead of stopping at the first one."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.problems: list[tuple[Problem, Span]] = []
        self.by_word: dict[str, list[Setting]] = {}
        for setting in training.settings:
            self.by_word.setdefault(setting.word, []).append(setting)

    def read_recipe(self) -> Recipe:
        batch, sources = self.find_stage("batch"), tuple(self._read_sources())
        draws, draw_problems = read_draws(self.training, self.by_word.get("draw", ()))
        if "steps" in self.by_word and "epochs" in self.by_word:
            self.report_problem("steps", "and `epochs` both say how long", self.by_word["steps"][0].word_span, "set one of them")
        clip = self.find_stage("clip")
        optimizer = self.read_named("optimizer") or (NamedSetting(OPTIMIZER, self.training.span),)
        plain = tuple(o for o in optimizer[0].options if o.name != "no_decay")
        no_decay = next((o for o in optimizer[0].options if o.name == "no_decay"), None)
        # before `keep`, which may name one of them
        measures, problems = read_measures(self.training, self.by_word.get("measure", ()))
        keep, keep_problems = read_keep(self.training, self.by_word.get("keep", ()), measures)
        drawn = {draw.input for draw in draws}
        balances, balance_problems = read_balances(self.training, self.by_word.get("balance", ()), drawn)
        varied, vary_problems = read_varied(self.training, drawn | {rule.input for rule in balances})
        minimized, minimize_problems = read_minimized(self.training.settings)
        follows, follow_problems = read_follows(self.training.settings)
        self.problems += [
            *draw_problems,
            *problems,
            *keep_problems,
            *balance_problems,
            *vary_problems,
            *minimize_problems,
            *follow_problems,
        ]
        return Recipe(
            optimizer=NamedSetting(optimizer[0].name, optimizer[0].span, optimizer[0].positional, plain),
            groups=(
                *self._read_groups(),
                *(self._make_group(p, rule.options) for rule in minimized for p in rule.patterns if rule.options),
            ),
            no_decay=() if no_decay is None else read_patterns("no_decay", no_decay, self.problems),
            schedule=self.read_named("schedule") or (),
            epochs=self._read_integer("epochs", EPOCHS),
            steps=self._read_integer("steps", None),
            batch=self._read_integer("batch", BATCH),
            accumulate=self._read_accumulate(batch),
            clip_norm=self._read_positive("clip", None),
            clip_value=self._read_option(clip, "value", None, is_positive, "must be a positive number"),
            ema=self._read_fraction("ema", None),
            freeze=tuple(self._read_freeze()),
            keep=keep,
            measures=measures,
            stop=read_stop(self.find_stage("stop"), keep, self.problems),
            sources=sources,
            validate=self._read_validation_data(),
            validation=self._read_validation(),
            stratify=self._read_stratify(
                sources[0].columns if sources else {}, drawn | {rule.input for rule in balances} | {rule.input for rule in varied}
            ),
            draws=draws,
            augmentations=self._read_augmentations(),
            seed=self._read_value("seed", 0, lambda v: is_int(v) and 0 <= v < SEEDS, "must be an integer of at least 0 and below 2**63"),
            table_rules=self._read_table_rules(),
            balances=balances,
            varied=varied,
            minimized=minimized,
            follows=follows,
        )

    def report_problem(self, what: str, need: str, span: Span, remedy: str = "") -> None:
        self.problems.append((WrongSetting(what, need, remedy), span))

    def find_stage(self, word: str) -> SettingStage | None:
        settings = self.by_word.get(word)
        return settings[0].stages[0] if settings else None

    def read_named(self, word: str) -> tuple[NamedSetting, ...] | None:
        settings = self.by_word.get(word)
        if not settings:
            return None
        for stage in settings[0].stages:
            if not stage.name:
                self.report_problem(word, "must be followed by a name", stage.span)
        return tuple(NamedSetting(s.name, s.name_span, s.positional, convert_none_options(s.named)) for s in settings[0].stages)

    def _read_single(self, word: str, allowed: tuple[str, ...] = ()) -> SettingArgument | None:
        """Read the only argument of a setting. Named arguments that are not allowed are reported."""
        stage = self.find_stage(word)
        if stage is None:
            return None
        for argument in stage.named:
            if argument.name not in allowed:
                self.report_problem(word, f"has no argument `{argument.name}`", argument.name_span)
        if len(stage.positional) > 1:
            self.report_problem(word, "takes one argument", stage.positional[1].span)
        return stage.positional[0] if stage.positional else None

    def _read_value(self, word: str, usual: Any, good: Callable[[Any], bool], need: str, allowed: tuple[str, ...] = ()) -> Any:
        argument = self._read_single(word, allowed)
        if argument is None:
            stage = self.find_stage(word)
            # named arguments alone are enough, as in `clip value=1.0`
            if stage is not None and not stage.named:
                self.report_problem(word, need, stage.span)
            return usual
        if not good(argument.value):
            self.report_problem(word, f"{need}, {describe_found(argument.value)}", argument.span)
            return usual
        return argument.value

    def _read_integer(self, word: str, usual: int | None, least: int = 1) -> Any:
        allowed = ("accumulate",) if word == "batch" else ()
        return self._read_value(word, usual, lambda v: is_int(v) and v >= least, f"must be an integer of at least {least}", allowed)

    def _read_accumulate(self, batch: SettingStage | None) -> int:
        count: int = self._read_option(batch, "accumulate", 1, is_count, "must be an integer of at least 1")
        size = batch.positional[0].value if batch is not None and batch.positional else BATCH
        if batch is not None and is_count(size) and count > size:
            span = next(a.span for a in batch.named if a.name == "accumulate")
            self.report_problem("accumulate", f"must be at most {size}, the number of samples in a batch, found `{count}`", span)
        return count

    def _read_positive(self, word: str, usual: float | None) -> Any:
        return self._read_value(word, usual, is_positive, "must be a positive number", ("value",))

    def _read_fraction(self, word: str, usual: float | None, allowed: tuple[str, ...] = ()) -> Any:
        return self._read_value(word, usual, lambda v: is_number(v) and 0 < v < 1, "must be a number between 0 and 1", allowed)

    def _read_option(self, stage: SettingStage | None, name: str, usual: Any, good: Callable[[Any], bool], need: str) -> Any:
        argument = None if stage is None else next((a for a in stage.named if a.name == name), None)
        if argument is None:
            return usual
        if not good(argument.value):
            self.report_problem(name, f"{need}, {describe_found(argument.value)}", argument.span)
            return usual
        return argument.value

    def _read_groups(self) -> Iterator[GroupRule]:
        for setting in self.by_word.get("group", ()):
            stage = setting.stages[0]
            if not stage.positional or not stage.named:
                self.report_problem("group", "takes a pattern and options", stage.span, 'write `group "head.*" lr=1e-2`')
            for argument in stage.positional:
                for pattern in read_patterns("group", argument, self.problems):
                    yield self._make_group(pattern, convert_none_options(stage.named))

    def _make_group(self, pattern: Pattern, options: tuple[SettingArgument, ...]) -> GroupRule:
        """Make the rule of a group. `optimizer=` among the options is no argument of the optimizer, but its name."""
        others = tuple(option for option in options if option.name != "optimizer")
        named = next((option for option in options if option.name == "optimizer"), None)
        if named is None:
            return GroupRule(pattern, options)
        if not isinstance(named.value, str):
            need = f"must be the name of an optimizer, {describe_found(named.value)}"
            self.report_problem("optimizer", need, named.span, "write `optimizer=sgd`")
            return GroupRule(pattern, others)
        return GroupRule(pattern, others, NamedSetting(str(named.value), named.span, (), others))

    def _read_freeze(self) -> Iterator[Pattern]:
        for setting in self.by_word.get("freeze", ()):
            for argument in setting.stages[0].positional:
                yield from read_patterns("freeze", argument, self.problems)

    def _read_sources(self) -> Iterator[DataRule]:
        settings = self.by_word.get("data", ())
        for setting in settings:
            rule = self._read_data("data", setting.stages[0])
            if rule is None:
                continue
            if rule.weight is not None and len(settings) == 1:
                remedy = "add another `data` line, or remove the weight"
                self.report_problem("weight", "is a share of several data, and there is only one", rule.span, remedy)
            yield rule

    def _read_validation_data(self) -> DataRule | None:
        stage = self.find_stage("validate")
        return None if stage is None or not stage.name else self._read_data("validate", stage)

    def _read_data(self, word: str, stage: SettingStage) -> DataRule | None:
        if not stage.name or len(stage.positional) != 1 or not isinstance(stage.positional[0].value, str):
            self.report_problem(word, "takes a format and a path", stage.span, f'write `{word} npz "data.npz"`')
            return None
        inputs = {value.name for value in self.training.program.main.inputs}
        columns, options, problems = read_data_arguments(word, stage, inputs)
        self.problems += problems
        weight = options.pop(WEIGHT, None)
        return None if problems else DataRule(stage.name, str(stage.positional[0].value), columns, stage.span, options, weight)

    def _read_augmentations(self) -> tuple[Augmentation, ...]:
        drawn = {a.value for s in self.by_word.get("draw", ()) for a in s.stages[0].positional}
        data_inputs = [value for value in self.training.program.main.inputs if value.name not in drawn]
        augmentations, problems = read_augmentations(self.by_word.get("augment", ()), data_inputs)
        self.problems += problems
        return augmentations

    def _read_validation(self) -> float:
        stage = self.find_stage("validate")
        return 0.0 if stage is None or stage.name else float(self._read_fraction("validate", 0.0, ("stratify",)))

    def _read_stratify(self, columns: Mapping[str, ColumnSpec], drawn: set[str]) -> Stratify | None:
        """Read the input of `stratify`, which is named by itself or by its column."""
        stage = self.find_stage("validate")
        argument = None if stage is None or stage.name else next((a for a in stage.named if a.name == "stratify"), None)
        if argument is None:
            return None
        inputs = [value.name for value in self.training.program.main.inputs if value.name not in drawn]
        by_column = {column: name for name in inputs if isinstance(column := columns.get(name, name), str)}
        name = argument.value if argument.value in inputs else by_column.get(str(argument.value))
        if name is None:
            near = find_similar_names(str(argument.value), [*inputs, *by_column])
            remedy = f"did you mean `{near[0]}`?" if near else "the inputs are " + ", ".join(f"`{n}`" for n in inputs)
            self.report_problem("stratify", f"takes an input or its column, and `{argument.value}` is neither", argument.span, remedy)
            return None
        return Stratify(str(name), argument.span)

    def _read_table_rules(self) -> TableRules:
        rules, problems = read_table_rules(self.by_word.get("fill", ()), self.by_word.get("category", ()))
        self.problems += problems
        return rules


def read_recipe(training: Training) -> tuple[Recipe, list[Diagnostic]]:
    """Read the settings of a section. Return the recipe and diagnostics."""
    reader = _RecipeReader(training)
    recipe = reader.read_recipe()
    return recipe, [make_diagnostic(problem, span) for problem, span in reader.problems]
