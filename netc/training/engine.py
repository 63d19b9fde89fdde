"""The options for how a run computes: device, precision, parallelism. None of them changes the results, except for rounding."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.record import Record


class Engine(Record):
    """`device` is `cpu` or `cuda`. A `strategy` of None means `ddp` if there are several processes. `tp` processes share each layer,
    and `pp` processes, or groups of them, have stages of the model.
    `checkpoint_every` is the number of steps between checkpoints, in addition to the checkpoints at the ends of epochs."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "fp16")
    STRATEGIES: ClassVar[tuple[str, ...]] = ("ddp", "fsdp")

    device: str = "cpu"
    precision: str = "fp32"
    strategy: str | None = None
    tp: int = 1
    pp: int = 1
    compile: bool = False
    checkpoint_activations: bool = False
    checkpoint_every: int | None = None
