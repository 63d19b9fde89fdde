"""A setting that names a class, such as `optimizer adamw lr=1e-3` and `augment random_crop 32 padding=4`, with its arguments.

>>> from netc.dsl.source import SourceFile
>>> span = Span(SourceFile("<text>", "optimizer adamw lr=1e-3"), 10, 15)
>>> NamedSetting("adamw", span, (), (SettingArgument("lr", 1e-3, span, span),)).values
{'lr': 0.001}
"""

from __future__ import annotations

from typing import Any

from netc.compiler.ir.training_program import SettingArgument
from netc.dsl.record import Record
from netc.dsl.source import Span


class NamedSetting(Record):
    """An optimizer, a stage of a schedule, or a transform, with its arguments."""

    name: str
    span: Span
    positional: tuple[SettingArgument, ...] = ()
    options: tuple[SettingArgument, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        return {argument.name: argument.value for argument in self.options}
