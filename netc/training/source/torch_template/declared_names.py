"""The names that the file of a section defines: constants of its clauses, and what depends on the model or the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
Trained = nn.Module | None
STEPS: int
EPOCHS: int
BATCH: int
ACCUMULATE: int
CLIP_VALUE: float
CLIP_NORM: float
EMA: float
PATIENCE: int
MIN_DELTA: float
FROZEN: tuple[str, ...]
LOSSES: dict[str, int]
TRAINED: dict[str, tuple[str, ...]]
FOLLOWED: tuple[tuple[str, str, float, int], ...]
GROUPS: list[tuple[str, dict[str, Any]]]
SEED: int
WEIGHTS: tuple[float, ...]
REPORT_EVERY: int
DATA: str
VALIDATION: Any
DEVICE: str
INPUT: str
STRATIFY: str
METRIC: str
FILE: str
BEST_FILE: str
TERMS: Sequence[Tensor]
ZEROS: Sequence[Tensor]
Model: type[nn.Module]
run: Any
compute_sums: nn.Module
compute_totals: Callable[[nn.Module, Batch], tuple[Tensor, ...]]
TOTALS: dict[str, Callable[[nn.Module, Batch], tuple[Tensor, ...]]]
COMPUTED: dict[str, tuple[str, ...]]
compute_counts: Callable[[Batch], tuple[Tensor | int, ...]]
compute_metrics: Callable[[Iterable[Tensor], Iterable[Tensor | int]], dict[str, Tensor]]
AUGMENTATIONS: Sequence[tuple[dict[str, Any], Any]]
AUGMENTED: tuple[str, ...]
CONSTANTS: tuple[str, ...]
balance_classes: Callable[[Batch, Tensor], Batch]
STANDARDIZED: tuple[str, ...]
draw_inputs: Callable[[Batch, int], Batch]
vary_inputs: Callable[[int, int, int], Batch]
load_data: Callable[[str], Batch]
load_validation_data: Callable[[str], Batch]
make_optimizer: Callable[[nn.Module], torch.optim.Optimizer]
make_schedule: Callable[..., Any]
