"""Run trials as jobs of Slurm, or in processes of this machine, by submitit.

In: the name of a cluster of submitit, `slurm` or `local`. Always: a job that reaches its time limit, or is preempted, saves a checkpoint
and is queued again. It gets submitit's signal (SIGUSR2) some time before the end. SIGTERM stops a job, as it stops `netc train`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from netc.compiler.errors.optional_packages import format_install_command

from ..training.stop_signals import StopRequest
from .polling_executor import PollingExecutor, make_lost_error
from .remote_trial import run_remote_trial
from .study_storage import StudyError
from .trial_claims import FOLDER
from .trials import Outcome, TrialEnd, TrialOrder

MAX_TIMEOUTS = 1000
"""How often a job that reaches its time limit is queued again."""
UNLIMITED = 60 * 24 * 365
"""The minutes that a process of this machine may take; submitit's default are two."""
DEFAULTS: dict[str, dict[str, Any]] = {"slurm": {"name": "netc"}, "local": {"timeout_min": UNLIMITED}}


class TrialJob:
    """The function of a job. submitit pickles it, and pickles what `checkpoint` returns for a job that is queued again."""

    def __init__(self, order: TrialOrder) -> None:
        self.order = order
        self._is_requeued = False

    def __call__(self) -> Outcome:
        number = self._get_signal()
        submitit_handler = signal.getsignal(number)

        def requeue(received: int, frame: FrameType | None) -> None:
            # A training saves a checkpoint first, between two steps. Otherwise there is nothing to save.
            if isinstance(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), StopRequest):
                self._is_requeued = True
                signal.raise_signal(signal.SIGTERM)
            elif callable(submitit_handler):
                submitit_handler(received, frame)

        signal.signal(number, requeue)
        outcome = run_remote_trial(self.order)
        signal.signal(number, submitit_handler)
        if self._is_requeued and outcome.end is TrialEnd.STOPPED:
            signal.raise_signal(number)  # submitit queues the job again, and ends this process
        return outcome

    @staticmethod
    def _get_signal() -> int:
        from submitit.core.job_environment import JobEnvironment

        return int(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"))

    def checkpoint(self) -> Any:
        """Return the job that continues this one: the folder of the run has everything."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(TrialJob(self.order))


class SubmititExecutor(PollingExecutor):
    """Runs trials as jobs of a cluster. `jobs` is the number of jobs at a time, None for as many as this machine has CPUs."""

    def __init__(self, cluster: str, jobs: int | None, options: Mapping[str, Any], folder: str, needs_gpu: bool) -> None:
        try:
            import submitit
        except ImportError:
            raise StudyError("submitit is not installed", f"run `{format_install_command('submitit')}`") from None
        super().__init__(jobs or os.cpu_count() or 1)
        self._is_local = cluster == "local"
        parameters = {**DEFAULTS[cluster], **({"gpus_per_node": 1} if needs_gpu else {}), **options}
        logs = Path(folder) / FOLDER / "jobs"
        try:
            self._executor = submitit.AutoExecutor(os.fspath(logs), cluster, **{f"{cluster}_max_num_timeout": MAX_TIMEOUTS})
            self._executor.update_parameters(**parameters)
        except RuntimeError:
            raise StudyError(
                "there is no Slurm on this machine: it has no command `srun`", "log in to a machine of the cluster, or use `--on local`"
            ) from None
        except (ValueError, TypeError, NameError, AssertionError) as error:
            raise StudyError(f"submitit refuses the options: {' '.join(str(error).split())}") from None

    stop_interval = 2.0  # submitit ignores the signal until the training has begun

    def _submit_job(self, order: TrialOrder) -> Any:
        # Ctrl-C in a terminal goes to all its processes. submitit's would kill the training, which answers Ctrl-C itself.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if self._is_local else None
        try:
            return self._executor.submit(TrialJob(order))
        finally:
            if handler is not None:
                signal.signal(signal.SIGINT, handler)

    def _poll_job(self, order: TrialOrder, job: Any) -> Outcome | None:
        if not job.done():
            return None
        if job.exception() is not None:
            text = str(job.exception()).strip()
            raise make_lost_error(order.trial, text.splitlines()[-1] if text else "")
        outcome: Outcome = job.result()
        return outcome

    def _stop_job(self, job: Any) -> None:
        if not self._is_local:
            job.cancel(check=False)
            return
        # the process that starts the job's process forwards this signal; `cancel` would kill the job after a second
        with suppress(OSError):
            os.kill(int(job.job_id), signal.SIGTERM)
