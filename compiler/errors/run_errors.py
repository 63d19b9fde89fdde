"""Errors of a training run: its folder, the machine, and a loss that is not finite.

They arise while a run starts, resumes or trains. They have no position in the spec, so `RunError` has the entire message.

>>> print(RunError(RunExists("runs/first")))
there is a run in `runs/first` already
help: continue it by `netc train --resume runs/first`, or give another folder
"""

from __future__ import annotations

from math import gcd
from shlex import quote
from typing import ClassVar

from .problem import Problem


class RunError(ValueError):
    """The exception for a problem with a run. Its text is the entire message."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("\n".join([problem.format_message(), *problem.format_notes(), *(f"help: {h}" for h in problem.format_help())]))
        self.problem = problem

    def __reduce__(self) -> tuple[type[RunError], tuple[Problem]]:
        """Pickle the error as its problem: the first process of a run sends it to the others."""
        return RunError, (self.problem,)


class RunExists(Problem):
    """A new run in the folder of another one."""

    code: ClassVar[str] = "run-exists"
    path: str

    def format_message(self) -> str:
        return f"there is a run in `{self.path}` already"

    def format_help(self) -> tuple[str, ...]:
        return (f"continue it by `netc train --resume {quote(self.path)}`, or give another folder",)


class RunLocked(Problem):
    """A run that a process is training already. `process` is the process id, or 0 if it is unknown. `host` is the process's machine, if it
    differs from this one."""

    code: ClassVar[str] = "run-locked"
    path: str
    process: int
    host: str = ""

    def format_message(self) -> str:
        who = f"process {self.process}" if self.process else "another process"
        return f"{who}{f' on `{self.host}`' if self.host else ''} is training the run in `{self.path}`"

    def format_help(self) -> tuple[str, ...]:
        # The process id of another machine is no use here, or worse, another process.
        stop = f"`kill {self.process}`" if self.process and not self.host else "SIGTERM"
        return (f"wait until it ends, or stop it with {stop} and resume the run; for a second run, pass another folder",)


class FolderNotEmpty(Problem):
    """A new run in a folder that has other files. `file` is one of them."""

    code: ClassVar[str] = "folder-not-empty"
    path: str
    file: str

    def format_message(self) -> str:
        return f"`{self.path}` is no run, and is not empty: it has `{self.file}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("a run is a folder of its own, with several files",)

    def format_help(self) -> tuple[str, ...]:
        return (f"give the name of a new folder: `-o {quote('run' if self.path == '.' else self.path.rstrip('/') + '/run')}`",)


NAME_THE_RUN = "give the folder that you passed to `netc train -o`"
"""The help for a path that is not a run."""


class RunUnreadable(Problem):
    """A folder that is not a run, or is damaged. `why` completes "cannot resume `path`: ...". `action` is what was tried."""

    code: ClassVar[str] = "run-unreadable"
    path: str
    why: str
    remedy: str = ""
    action: str = "resume"

    def format_message(self) -> str:
        return f"cannot {self.action} `{self.path}`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy,) if self.remedy else ()


class RunDiffers(Problem):
    """A resumed run that differs from the run that was started. `what` is a clause. `remedy` is an alternative to starting a new run from
    its weights."""

    code: ClassVar[str] = "run-differs"
    path: str
    what: str
    remedy: str = ""
    action: str = "resume"

    def format_message(self) -> str:
        return f"cannot {self.action} `{self.path}`: {self.what}"

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy or f"start a new run with its weights: `--weights {quote(f'{self.path}/last.safetensors')} -o RUN`",)


class WorkerLost(Problem):
    """A trial of a sweep whose worker has died, on Ray or in a job of a cluster. `why` is what the engine says about it."""

    code: ClassVar[str] = "worker-lost"
    path: str
    why: str

    def format_message(self) -> str:
        return f"the worker that trained `{self.path}` has died"

    def format_notes(self) -> tuple[str, ...]:
        return (self.why,) if self.why else ()

    def format_help(self) -> tuple[str, ...]:
        return ("the same command continues the run from its last checkpoint",)


class NoDevice(Problem):
    """A device or an arrangement of processes that is not available. `why` is a clause."""

    code: ClassVar[str] = "no-device"
    why: str
    remedy: str

    def format_message(self) -> str:
        return self.why

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy,)


class CannotSplit(Problem):
    """A model whose layers `devices` cannot share. `what` is a clause on a layer with `number` heads or features. If there is no layer to
    divide, it is empty, and `why` has the reasons. `is_training`: the command trains, so it has `--strategy` too."""

    code: ClassVar[str] = "cannot-split"
    devices: int
    what: str
    number: int
    why: tuple[str, ...] = ()
    is_training: bool = True

    def format_message(self) -> str:
        if self.what:
            return f"{self.what}, which {self.devices} devices cannot share"
        return f"no layer of this model can be divided over {self.devices} devices"

    def format_notes(self) -> tuple[str, ...]:
        if self.what:
            return ()
        return ("`--tp` divides pairs of dense layers, with only elementwise stages or attention heads between them", *self.why)

    def format_help(self) -> tuple[str, ...]:
        if self.what and (common := gcd(self.number, self.devices)) > 1:
            return (f"give a divisor of {self.number}: `--tp {common}`",)
        return ("leave out `--tp`: `--strategy fsdp` shares the parameters of any model" if self.is_training else "leave out `--tp`",)


class LossNotFinite(Problem):
    """A loss that is not finite. `value` is `NaN` or `infinite`. `stage` names the first result that is not finite. `checkpoint` is the
    step of the newest checkpoint, or None."""

    code: ClassVar[str] = "loss-not-finite"
    step: int
    value: str
    stage: str
    checkpoint: int | None
    remedy: str

    def format_message(self) -> str:
        return f"the loss is {self.value} at step {self.step}"

    def format_label(self) -> str:
        return self.stage

    def format_notes(self) -> tuple[str, ...]:
        return (f"{_checkpoint_text(self.checkpoint)}; the parameters of this step were not changed",)

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy,)


class BatchRefused(Problem):
    """Values for which PyTorch cannot compute a stage. `batch` names the batch of a step or of a validation. `why` is PyTorch's message.
    `stage` is None where several processes share the parameters, so that no process can look for the stage alone."""

    code: ClassVar[str] = "batch-refused"
    stage: str | None
    batch: str
    why: str
    checkpoint: int | None

    def format_message(self) -> str:
        stage = "the loss" if self.stage is None else f"`{self.stage}`"
        return f"{stage} cannot be computed for {self.batch}"

    def format_label(self) -> str:
        return f"PyTorch says: {self.why}"

    def format_notes(self) -> tuple[str, ...]:
        return (_checkpoint_text(self.checkpoint),)

    def format_help(self) -> tuple[str, ...]:
        if self.stage is None:
            return (
                "check the values of the batch; one process without `--tp` and `--strategy fsdp` names the stage that cannot be computed",
            )
        return ("check the values that reach this stage: they come from the data, from `draw` lines, or from the stages before it",)


class BatchTooSmall(Problem):
    """A part of a batch that is too small for a variance. `samples` is the size of the smallest part."""

    code: ClassVar[str] = "batch-too-small"
    step: int
    samples: int

    def format_message(self) -> str:
        return f"the batch of step {self.step} has a part of {self.samples} sample, and `batch_norm` needs at least 2"

    def format_notes(self) -> tuple[str, ...]:
        return ("the last batch of an epoch has only the remaining samples; `accumulate` and replicas with `--tp` divide batches further",)

    def format_help(self) -> tuple[str, ...]:
        return ("choose `batch` and `accumulate` so that no part has a single sample",)


def _checkpoint_text(step: int | None) -> str:
    return "there is no checkpoint yet" if step is None else f"the last checkpoint is from step {step}"
