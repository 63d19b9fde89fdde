"""Ranges of published models: how many stages `netc check --range` bounds, and how much larger than the measured values the bounds are.

`python -m bench.stage_ranges` prints the table of docs/precision.md. The weights are drawn, with seed 0, and the data is random: two
samples of 32 tokens, or two images of 224x224.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import netc
from bench.process import ROOT
from netc.proving.range_report import RangeReport

SMALL_LLAMA = {"vocabulary": 32_000, "width": 512, "depth": 8, "heads": 8, "shared_heads": 8, "hidden": 1376}
MODELS: dict[str, Callable[[], netc.Model]] = {
    "Llama, 8 layers of 512 features": lambda: netc.compile_file(ROOT / "specs/text/llama.net", model="network", params=SMALL_LLAMA),
    **{name: partial(netc.zoo, name) for name in ("bert_base", "gpt2", "t5_small", "vit_b_16", "convnext_tiny", "resnet50")},
}
SAMPLES = 2
LENGTH, SIDE = 32, 224
TOKENS = ("tokens", "written")
VOCABULARY = 1000
"""Tokens are drawn below this number, and other integers below 2."""


def draw_inputs(model: netc.Model) -> dict[str, np.ndarray[Any, Any]]:
    """Draw samples: normal numbers, tokens, and masks that hide nothing."""
    generator = np.random.default_rng(0)
    drawn: dict[str, np.ndarray[Any, Any]] = {}
    for name, kind in model.inputs.items():
        sizes = {"N": SAMPLES, "H": SIDE, "W": SIDE}
        shape = [size if isinstance(size, int) else sizes.get(str(size), LENGTH) for size in kind.shape]
        if kind.dtype.is_integer:
            drawn[name] = generator.integers(0, VOCABULARY if name in TOKENS else 2, shape)
        else:
            drawn[name] = np.ones(shape, bool) if kind.dtype.name == "bool" else generator.normal(size=shape).astype(np.float32)
    return drawn


def format_row(name: str, report: RangeReport) -> str:
    """Return a row of the table."""
    ratios = [s.bound / s.measured for s in report.stages if s.evidence == "bounded" and s.measured]
    middle, most = (f"{np.quantile(ratios, q):,.0f}" if ratios else "" for q in (0.5, 0.9))
    safe = sum(stage.is_safe for stage in report.stages)
    return f"| {name} | {len(report.stages)} | {report.count('bounded')} | {safe} | {middle} | {most} |"


def main(names: list[str]) -> None:
    print("| model | stages | bounded | proved to fit float16 | bound / measured, median | 90 % |\n|---|---|---|---|---|---|")
    for name in names or MODELS:
        model = MODELS[name]()
        data = draw_inputs(model)
        print(format_row(name, model.check_ranges(seed=0, calibration=data)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
