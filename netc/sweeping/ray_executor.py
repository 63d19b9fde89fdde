"""Run trials on Ray: each is a task on a machine of the cluster, or on this machine if there is no cluster.

Always: the folder of the runs is one that all machines share. Ray restarts no task: a worker that dies fails its trial, and the same
command continues the run from its folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from netc.compiler.errors.optional_packages import format_install_command

from .polling_executor import PollingExecutor, make_lost_error
from .remote_trial import run_remote_trial
from .study_storage import StudyError
from .trials import Outcome, TrialEnd, TrialOrder

ADDRESS = "address"
"""The option with the address of a cluster: `auto` is the one that this machine belongs to. All others are options of a task."""


class RayExecutor(PollingExecutor):
    """Runs trials as tasks. `jobs` is the number of tasks at a time, None for as many as the cluster has CPUs for."""

    def __init__(self, jobs: int | None, options: Mapping[str, Any], needs_gpu: bool) -> None:
        # Ray would report to its makers what it is used for, and repeat the output of its workers in ours
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise StudyError("Ray is not installed", f"run `{format_install_command('ray')}`") from None
        self._ray = ray
        task_options: dict[str, Any] = {"num_cpus": 1, **({"num_gpus": 1} if needs_gpu else {}), **options}
        address = task_options.pop(ADDRESS, None)
        try:
            ray.init(address=address, log_to_driver=False, include_dashboard=None if address else False, logging_level="ERROR")
            self._task = ray.remote(run_remote_trial).options(max_retries=0, **task_options)
        except (ConnectionError, ValueError, TypeError) as error:
            raise StudyError(f"Ray cannot start: {str(error).splitlines()[0]}") from None
        cpus = float(ray.cluster_resources().get("CPU", 1))
        super().__init__(jobs or max(1, int(cpus // (float(task_options["num_cpus"]) or 1))))

    def _submit_job(self, order: TrialOrder) -> Any:
        return self._task.remote(order)

    def _poll_job(self, order: TrialOrder, job: Any) -> Outcome | None:
        ready, _ = self._ray.wait([job], timeout=0)
        if not ready:
            return None
        try:
            outcome: Outcome = self._ray.get(job)
        except self._ray.exceptions.TaskCancelledError:
            return Outcome(TrialEnd.STOPPED)
        except self._ray.exceptions.RayError as error:
            raise make_lost_error(order.trial, str(error).splitlines()[0]) from None
        return outcome

    def _stop_job(self, job: Any) -> None:
        self._ray.cancel(job, force=False)  # as Ctrl-C in the worker, which saves a checkpoint

    def close(self) -> None:
        super().close()
        self._ray.shutdown()
