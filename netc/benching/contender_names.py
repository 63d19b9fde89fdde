"""The words for what a model can be compared with; a path or the name of a module is one too.

In: a subject. Out: jobs. Always: each word is a form of the same model with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .measure_contenders import export

if TYPE_CHECKING:
    from .contenders import Settings, Subject
    from .job import Job


class NoComparison(ValueError):
    """A subject that has no such form."""


def _eager(subject: Subject, settings: Settings) -> Job:
    return _module(subject, "torch")


def _compiled(subject: Subject, settings: Settings) -> Job:
    from .contenders import changed

    return changed(_module(subject, "torch.compile"), compiled=True, what="torch.compile")


def _exported(subject: Subject, settings: Settings) -> Job:
    from .contenders import exported

    _module(subject, "torch.onnx.export")
    writes, contender = exported(subject, settings)
    export(writes)
    return contender


def _module(subject: Subject, word: str) -> Job:
    if subject.module is None:
        raise NoComparison(f"`--against {word}` is for models that netc or PyTorch can make, not for `{subject.job.what}`")
    return subject.module()


AGAINST: dict[str, Callable[[Subject, Settings], Job]] = {
    "torch": _eager,
    "torch.compile": _compiled,
    "torch.onnx.export": _exported,
}
