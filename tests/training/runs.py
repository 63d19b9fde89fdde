"""Small trainings: a spec with dropout, batch statistics, averaged weights, a schedule and a best metric; and their data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netc.analysis import Choice
from netc.training.data.data_source import ArraySource
from netc.training.run_training import Result, train_file

SPEC = """
features = input 6
scores = features -> dense 12 relu -> batch_norm -> dropout 0.3 -> dense 3

train {
  target = input [] int64
  loss = -(scores -> log_softmax axis=1) * (target -> one_hot 3 -> cast float32) -> sum axis=1 -> mean
  metric accuracy = (scores -> argmax axis=1) == target -> cast float32 -> mean
  optimizer adamw lr=1e-2 weight_decay=0.01 no_decay=["*.bias"]
  schedule warmup 5 -> cosine
  epochs 4
  batch 16 accumulate=2
  clip 1.0
  ema 0.9
  validate 0.2
  keep best accuracy
}
"""
"""90 samples are 72 for training: 5 steps an epoch, the last of 8 samples, 20 in all."""


def samples(count: int = 90, seed: int = 0) -> dict[str, np.ndarray]:
    """Three clusters in six dimensions."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, count)
    centers = generator.normal(size=(3, 6))
    features = centers[target] + 0.5 * generator.normal(size=(count, 6))
    return {"features": features.astype(np.float32), "target": target.astype(np.int64)}


def train(folder: Path, spec: str = SPEC, data: Mapping[str, np.ndarray] | None = None, **options: Any) -> Result:
    """A new run in this process."""
    source = ArraySource(samples() if data is None else data)
    return train_file(None, spec, Choice(), None, str(folder), False, options.pop("on_report", _nothing), data=source, **options)


def resume(folder: Path, data: Mapping[str, np.ndarray] | None = None, **options: Any) -> Result:
    """Continues a run in this process."""
    source = ArraySource(samples() if data is None else data)
    return train_file(None, None, Choice(), None, str(folder), True, options.pop("on_report", _nothing), data=source, **options)


def _nothing(report: object) -> None:
    """Reports are not looked at."""
