"""The time of a token: a step that netc derived, against transformers with a cache and onnxruntime-genai, by turns in one process.

The step runs in ONNX Runtime alone, and in the loops of netc, which may take 1.3 times as long: `stream.session()` and `generate`. The
smallest model shows their cost best, and is compared with nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

SIZES = ((64, 8), (256, 8), (512, 12))
TOKENS, ROUNDS = 128, 6
LOOPS = (("stream.session", "netc", 1.3), ("generate", "netc", 1.3))
PAIRS = (("netc", "transformers", 1.0), ("netc", "genai", 1.05), ("netc in genai", "genai", 1.05))
"""What is compared with what, and the limit of the ratio. Those with onnxruntime-genai only where it is installed."""


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for width, depth in SIZES:
        numbers = map(str, (width, depth, TOKENS, ROUNDS))
        found = json.loads(sandbox.ask((str(ROOT / "bench" / "token_loop.py"), *numbers)))
        times = found["milliseconds"]
        for ours, theirs, limit in (*LOOPS, *(PAIRS if (width, depth) != SIZES[0] else ())):
            if theirs not in times or found["same"][ours] != found["count"]:
                continue
            ratio = median(a / b for a, b in zip(times[ours], times[theirs], strict=True))
            figures = f"{median(times[ours]):.2f} ms, {theirs} {median(times[theirs]):.2f} ms"
            yield Row(f"a token of a Llama {width} wide, {depth} layers, {ours}", figures, ratio, limit)
