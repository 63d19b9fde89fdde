"""A train section after elaboration: the objective as a program, and its settings as evaluated data.

Always: the objective's main graph calls the model's graph once, under the label `MODEL`, so that the keys of the model's state dict are the
keys below that label. The outputs of the main graph are the loss and then the metrics, each without axes.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd lr=0.1 }"
    >>> training = analyze_training(SourceFile("<text>", text), Choice()).training
    >>> [setting.word for setting in training.settings], training.program.main.output_names
    (['optimizer'], ['loss'])
"""

from __future__ import annotations

from typing import Any

from netc.dsl.record import Record
from netc.dsl.source import Span

from .graph import CallNode, Program
from .graph_values import Value

MODEL = "model"
"""The label of the model in the objective's graph."""
LOSS = "loss"
MINIMIZE = "minimize"
"""The setting that names a loss and the parameters that it trains, for a section with several losses."""
RESERVED_METRIC_NAMES = frozenset(("step", "epoch", "lr", "validation"))
"""Fields of every line in a run's file of metrics, which a metric of that name would overwrite."""


class Word(str):
    """A name in a setting that stands for itself and is not looked up: `adamw`, `best`, a column."""

    __slots__ = ()


class SettingArgument(Record):
    """An evaluated argument. `name` is empty for a positional one."""

    name: str
    value: Any
    span: Span
    name_span: Span


class SettingStage(Record):
    """One stage of a setting, such as `warmup 200`. Its `name` is the first word after the setting's, empty if there is none."""

    name: str
    name_span: Span
    positional: tuple[SettingArgument, ...]
    named: tuple[SettingArgument, ...]
    span: Span


class Setting(Record):
    """A line of a train section, such as `schedule warmup 200 -> cosine`."""

    word: str
    word_span: Span
    stages: tuple[SettingStage, ...]
    span: Span


class Training(Record):
    """An elaborated train section. `losses` are the names of its losses, the first outputs of the program; `spans` has the place of each
    loss and metric in the text. `several`: the file has several models. `params` has the parameters of the model that the section sets,
    and `differentiated` the inputs by which the objective differentiates. The last `added_inputs` inputs of the model's graph are for the
    section's uses of shared stages, and no inputs of the compiled model."""

    name: str
    model: str
    program: Program
    settings: tuple[Setting, ...]
    span: Span
    losses: tuple[str, ...]
    spans: dict[str, Span]
    several: bool = False
    params: dict[str, Any] = {}
    differentiated: tuple[str, ...] = ()
    added_inputs: int = 0

    @property
    def loss_span(self) -> Span:
        """The place of the first loss in the text."""
        return self.spans[self.losses[0]]

    @property
    def model_call(self) -> CallNode:
        """The call of the model's graph."""
        return next(n for n in self.program.main.nodes if isinstance(n, CallNode) and n.label == MODEL)

    @property
    def model_inputs(self) -> list[tuple[Value, Value]]:
        """The values that the section passes to the inputs of the compiled model, each with this input."""
        call = self.model_call
        pairs = list(zip(call.inputs, call.graph.inputs, strict=True))
        return pairs[: len(pairs) - self.added_inputs]
