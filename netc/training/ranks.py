"""The processes that train together, as torchrun starts them.

In: the environment variables of torchrun, and the device that is asked for. Out: `Ranks`. Always: with one process nothing is communicated,
and `torch.distributed` is not started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from netc.compiler.errors.running import NoDevice, RunError
from netc.dsl.record import Record

from .order import Indices

T = TypeVar("T")


class Ranks(Record):
    """This process among all: `rank` of `world`, and the device it computes on."""

    device: torch.device = torch.device("cpu")
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, indices: Indices) -> Indices:
        """The samples of this process, perhaps none."""
        return indices if self.world == 1 else indices[self.rank :: self.world]

    def sum(self, numbers: Tensor) -> Tensor:
        """The sums over all processes, in place; the same in each of them."""
        if self.world > 1:
            dist.all_reduce(numbers)
        return numbers

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            dist.barrier()

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, in each of them."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def once(self, action: Callable[[], object]) -> None:
        """Does it in the first process; what it raises is raised in all."""
        failure: Exception | None = None
        if self.first:
            try:
                action()
            except Exception as error:
                failure = error
        failure = next(iter(self.gathered(failure)))
        if failure is not None:
            raise failure


def is_first() -> bool:
    """Whether this process is the one that reports, known before anything has been started."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined(device: str, strategy: str | None) -> Iterator[Ranks]:
    """The processes of this run, connected until the end. Raises `RunError` if the device or the other processes are not there."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if strategy is not None and "WORLD_SIZE" not in os.environ:
        remedy = "start it by `torchrun --nproc-per-node 2 -m netc train ...`"
        raise RunError(NoDevice(f"`--strategy {strategy}` is for several processes, and this is one", remedy))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        _check_cuda(local)
        torch.cuda.set_device(local)
    place = torch.device("cuda", local) if device == "cuda" else torch.device("cpu")
    if world == 1:
        yield Ranks(place)
        return
    dist.init_process_group("nccl" if device == "cuda" else "gloo", device_id=place if device == "cuda" else None)
    try:
        yield Ranks(place, dist.get_rank(), world)
        dist.barrier()  # a process that leaves early takes its connections away from the others
    finally:
        dist.destroy_process_group()


def _check_cuda(local: int) -> None:
    if not torch.cuda.is_available():
        built = torch.version.cuda is not None
        why = "PyTorch finds no CUDA device" if built else "this PyTorch is built without CUDA"
        remedy = "check the driver with `nvidia-smi`" if built else "install one with CUDA, see https://pytorch.org/get-started/locally"
        raise RunError(NoDevice(why, f"{remedy}, or train on the CPU: `--device cpu`"))
    count = torch.cuda.device_count()
    if local >= count:
        raise RunError(NoDevice(f"there are {count} CUDA devices for more processes", f"start {count}: `--nproc-per-node {count}`"))
