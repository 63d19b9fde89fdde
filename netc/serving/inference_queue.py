"""Dynamic batching: requests that wait at the same time are computed in one run of the model.

In: the arrays of a request, `[samples, ...]` by input. Out: its outputs by name. Always: a request gets the results that it would get
alone. Requests whose samples have other shapes are never joined. If a joint run fails, each of its requests runs alone, so that only the
request with the wrong value gets the error.

A model is run by one thread: ONNX Runtime computes one run on all cores. While it computes, the event loop reads other requests, which are
the next batch. So batches grow with the load, also if nobody waits for them (`max_wait` of 0). A run that is expected to take less time
than the hand-over to a thread runs in the event loop.

For example, if requests of 1, 2 and 4 samples arrive while the model computes, the next run computes all 7 samples.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any

import numpy as np

from netc.dsl.record import Record

from ..training.data.data_source import Array
from .request_refused import QUEUE_FULL, UNAVAILABLE, RequestRefused

Arrays = dict[str, Array]
Run = Callable[[Arrays], Arrays]
_QUICK = 0.001
"""A run of fewer seconds takes less time than to hand it to a thread and back on a busy machine."""
Key = tuple[object, ...]
"""What requests of one batch share: the names, the types and the shapes of their samples."""


class RunRecord(Record):
    """A finished run: its requests, its samples, and the seconds that it took."""

    requests: int
    samples: int
    seconds: float


class _Job:
    __slots__ = ("arrays", "count", "deadline", "elements", "future", "key", "run")

    def __init__(self, arrays: Arrays, count: int, key: Key | None, deadline: float, run: Run, future: asyncio.Future[Arrays]) -> None:
        self.arrays, self.count, self.key, self.deadline, self.run, self.future = arrays, count, key, deadline, run, future
        self.elements = max(1, sum(array.size for array in arrays.values()))


class InferenceQueue:
    """The requests that wait for the model. All methods are called in the event loop."""

    def __init__(
        self, max_batch: int, max_wait: float, max_queue: int, timeout: float, observe: Callable[[RunRecord], None] = lambda record: None
    ) -> None:
        """`max_wait` is in milliseconds, `timeout` in seconds. `observe` is called after each run."""
        self._max_batch, self._max_wait, self._max_queue, self._timeout = max_batch, max_wait / 1000, max_queue, timeout
        self._observe = observe
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, "netc-model")
        self._worker: asyncio.Task[None] | None = None
        self._seconds_per_element = math.inf
        """The time of a run, by the elements of its inputs: a long text takes longer than a short one."""

    def __len__(self) -> int:
        return len(self._jobs)

    async def compute(self, run: Run, arrays: Arrays, count: int, may_join: bool) -> Arrays:
        """Run the model on the arrays of one request, which has `count` samples. `may_join`: other requests may be part of the same run.

        Raises `RequestRefused` if too many requests wait or the time is over, and the exception of `run`.
        """
        if len(self._jobs) >= self._max_queue:
            message = f"{len(self._jobs)} requests wait already, which is the limit: try again later"
            raise RequestRefused(QUEUE_FULL, message, headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        key = (run, *((name, a.dtype, a.shape[1:]) for name, a in sorted(arrays.items()))) if may_join else None
        job = _Job(arrays, count, key, loop.time() + self._max_wait, run, loop.create_future())
        self._jobs.append(job)
        self._arrived.set()
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        try:
            async with asyncio.timeout(self._timeout):
                return await job.future
        except TimeoutError:
            message = f"the model did not answer within {self._timeout:g} seconds"
            raise RequestRefused(UNAVAILABLE, message, headers={"Retry-After": "1"}) from None

    async def close(self) -> None:
        """Stop, after the run in progress."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        self._executor.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._jobs:
                self._arrived.clear()
                await self._arrived.wait()
            batch = await self._collect_batch()
            if batch:
                elements = sum(job.elements for job in batch)
                is_quick = self._seconds_per_element * elements < _QUICK
                results, seconds = _run_batch(batch) if is_quick else await loop.run_in_executor(self._executor, _run_batch, batch)
                # The least time of the latest runs: a busy machine delays some of them.
                self._seconds_per_element = min(1.05 * self._seconds_per_element, seconds / elements)
                self._observe(RunRecord(len(batch), sum(job.count for job in batch), seconds))
                for job, result in zip(batch, results, strict=True):
                    _answer(job.future, result)
                if is_quick:
                    await asyncio.sleep(0)  # other requests are read before the next run

    async def _collect_batch(self) -> list[_Job]:
        """Take the oldest request, and others that fit to it. Wait for more of them until its deadline."""
        loop = asyncio.get_running_loop()
        while True:
            self._drop_abandoned()
            if not self._jobs:
                return []
            first = self._jobs[0]
            batch = self._find_batch(first)
            left = first.deadline - loop.time()
            # A full queue is not worth waiting for: it would refuse the requests that are waited for.
            is_complete = first.key is None or sum(job.count for job in batch) >= self._max_batch or len(self._jobs) >= self._max_queue
            if is_complete or left <= 0:
                taken = set(map(id, batch))
                self._jobs = deque(job for job in self._jobs if id(job) not in taken)
                return batch
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                continue

    def _find_batch(self, first: _Job) -> list[_Job]:
        """Return the first request, and the requests after it that can join it and fit into a batch."""
        if first.key is None:
            return [first]
        batch, count = list[_Job](), 0
        for job in self._jobs:
            if job.key == first.key and (not batch or count + job.count <= self._max_batch):
                batch.append(job)
                count += job.count
        return batch

    def _drop_abandoned(self) -> None:
        """Remove requests whose time is over, or whose client has gone."""
        if any(job.future.done() for job in self._jobs):
            self._jobs = deque(job for job in self._jobs if not job.future.done())


def _run_batch(batch: Sequence[_Job]) -> tuple[list[Arrays | Exception], float]:
    """Run the requests together, or one by one if that fails. Return a result or an exception for each, and the seconds."""
    start = time.perf_counter()
    results = _compute_results(batch)
    return results, time.perf_counter() - start


def _compute_results(batch: Sequence[_Job]) -> list[Arrays | Exception]:
    if len(batch) == 1:
        return [_run_alone(batch[0])]
    try:
        joint = batch[0].run({name: np.concatenate([job.arrays[name] for job in batch]) for name in batch[0].arrays})
        ends = list(accumulate(job.count for job in batch))
        return [_slice_samples(joint, end - job.count, end) for job, end in zip(batch, ends, strict=True)]
    except Exception:
        return [_run_alone(job) for job in batch]


def _run_alone(job: _Job) -> Arrays | Exception:
    try:
        return job.run(job.arrays)
    except Exception as error:
        return error


def _slice_samples(arrays: Mapping[str, Any], start: int, stop: int) -> Arrays:
    return {name: array[start:stop] for name, array in arrays.items()}


def _answer(future: asyncio.Future[Arrays], result: Arrays | Exception) -> None:
    if future.done():  # nobody waits for it any more
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
