"""What is said on the command line of how a run computes.

Always: none of it changes what is computed, up to rounding.
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.record import Record


class Engine(Record):
    """`device` is `cpu` or `cuda`. `strategy` None: one process, or `ddp` on several. `tp` processes share each layer.
    `checkpoint_every`: steps between checkpoints, in addition to those at the ends of epochs."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "fp16")
    STRATEGIES: ClassVar[tuple[str, ...]] = ("ddp", "fsdp")

    device: str = "cpu"
    precision: str = "fp32"
    strategy: str | None = None
    tp: int = 1
    compile: bool = False
    checkpoint_activations: bool = False
    checkpoint_every: int | None = None
