"""What was measured last, kept in `build/imports`: a file for each set.

In: the results of a whole set, with the seed and the size of its sample. Out: `Measured` records, in the order of the sets. Always: a set
is replaced as a whole, so that no row has results of two runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from imports.measured import Result

FOLDER = Path(__file__).parents[2] / "build" / "imports"
SETS = ("torchvision", "timm", "transformers", "diffusers", "zoo", "wheels")
SAMPLED = ("torchvision", "timm")
"""Of these some models are drawn, from those that are not too large."""


class Measured(NamedTuple):
    """A set. `seed` decides the weights and inputs, and the sample; `most` the most parameters of a model that may be drawn, in
    millions, None where all are taken."""

    of: str
    seed: int
    most: int | None
    results: Sequence[Result]


def keep(measured: Measured) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps([measured.of, measured.seed, measured.most, measured.results])
    (FOLDER / f"{measured.of}.json").write_text(text, encoding="utf-8")


def kept() -> list[Measured]:
    found = [FOLDER / f"{of}.json" for of in SETS]
    return [_read(path) for path in found if path.is_file()]


def _read(path: Path) -> Measured:
    of, seed, most, results = json.loads(path.read_text(encoding="utf-8"))
    return Measured(of, seed, most, [Result(*fields) for fields in results])
