"""The words that `--against` accepts in addition to paths and names of modules.

In: a subject. Out: the job of a contender. Always: each word names a form of the same model with the same weights: `torch` runs its PyTorch
module, `torch.onnx.export` exports this module and runs the file in ONNX Runtime, and the name of a runtime runs the ONNX model there.

    >>> list(AGAINST)
    ['torch', 'torch.compile', 'torch.onnx.export', 'openvino', 'tract', 'iree', 'tvm']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from netc.compiler.backends.onnx.runtime_profiles import PROFILES
from netc.dsl.record import replace

from .measure_contenders import export_model

if TYPE_CHECKING:
    from .contenders import Settings, Subject
    from .job import Job


class NoComparison(ValueError):
    """The subject has no form of this kind."""


def _make_eager_job(subject: Subject, settings: Settings) -> Job:
    return _require_module(subject, "torch")


def _make_compiled_job(subject: Subject, settings: Settings) -> Job:
    return replace(_require_module(subject, "torch.compile"), compiled=True, what="torch.compile")


def _make_exported_job(subject: Subject, settings: Settings) -> Job:
    from .contenders import make_export_jobs

    _require_module(subject, "torch.onnx.export")
    writes, contender = make_export_jobs(subject, settings)
    # now, so that the export does not run while contenders are measured
    export_model(writes)
    return contender


def _make_runtime_job(runtime: str, subject: Subject, settings: Settings) -> Job:
    if subject.in_runtime is None:
        raise NoComparison(f"`--against {runtime}` is for specs and ONNX models, not for `{subject.job.what}`")
    if settings.device != "cpu":
        raise NoComparison(f"netc runs {PROFILES[runtime].title} on the CPU: --against {runtime} goes without --device {settings.device}")
    return subject.in_runtime(runtime)


def _require_module(subject: Subject, word: str) -> Job:
    if subject.module is None:
        raise NoComparison(f"`--against {word}` is for models that netc or PyTorch can make, not for `{subject.job.what}`")
    return subject.module()


AGAINST: dict[str, Callable[[Subject, Settings], Job]] = {
    "torch": _make_eager_job,
    "torch.compile": _make_compiled_job,
    "torch.onnx.export": _make_exported_job,
    **{name: partial(_make_runtime_job, name) for name in PROFILES},
}
