"""Augment the training batches of a run.

In: the tensors of a batch, the indices of its samples, and the number of the step. Out: the batch, augmented by the file's
`augment_sample`. Always: a sample's random numbers depend only on the seed, the step and the index of the sample, not on
threads, micro-batches and processes, and PyTorch's default generator stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch
from torch import Tensor

from netc.compiler.errors.recipe_errors import WrongSetting

from ..errors import CompileError
from ..files.file_problems import make_diagnostic
from .data.data_source import Indices
from .data.pictures import count_cores
from .recipe import Recipe
from .sample_generator import SampleGenerator
from .section_file import SectionFile
from .transform_options import describe_difference


class SampleAugmenter:
    """The `augment` lines of a section, applied to batches of tensors on the CPU."""

    def __init__(self, file: SectionFile, recipe: Recipe) -> None:
        self.file, self.span = file, recipe.augmentations[0].span
        self.names = tuple({name: None for line in recipe.augmentations for name in line.kinds})

    def augment_batch(self, batch: Mapping[str, Tensor], samples: Indices, step: int) -> dict[str, Tensor]:
        """Augment a batch whose rows are these samples of the data. Raises `CompileError` if a transform refuses a sample."""
        if not len(samples):  # a process may have no samples of a batch
            return dict(batch)
        seeds = [self.file.make_sample_seed(step, sample) for sample in samples.tolist()]
        rows = [{name: batch[name][row] for name in self.names} for row in range(len(samples))]
        augmented = list(_thread_pool().map(self._augment_sample, rows, seeds))
        return {**batch, **{name: torch.stack([row[name] for row in augmented]) for name in self.names}}

    def _augment_sample(self, sample: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        try:
            with SampleGenerator(seed):
                augmented: dict[str, Tensor] = self.file.augment_sample(sample)
        except Exception as error:  # whatever torchvision raises here, the values of the sample are the cause
            raise self._reject_sample(f"is refused by torchvision: {str(error).strip().splitlines()[0]}") from error
        for name in self.names:  # some transforms return another size for few samples alone
            if difference := describe_difference(name, augmented[name], sample[name]):
                raise self._reject_sample(difference)
        return augmented

    def _reject_sample(self, why: str) -> CompileError:
        return CompileError((make_diagnostic(WrongSetting("augment", why), self.span),))


@cache
def _thread_pool() -> ThreadPoolExecutor:
    """Return a thread for each core, whose operators compute in one thread each."""
    # Each operator would start a team of threads otherwise, and the teams of all samples would wait for each other.
    count, usual = count_cores(), torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix="netc-augment", initializer=_use_one_thread)
    started = Barrier(count + 1)
    for _ in range(count):
        pool.submit(started.wait)
    started.wait()
    torch.set_num_threads(usual)  # PyTorch also gives the last number that was set to threads that start later
    return pool


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread takes over the number that was set last at its first question
