"""`python -m bench [--check] [BENCHMARK...]`: measures, and prints a table of ratios and their limits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from bench import (
    editing,
    epochs,
    export,
    flax_training,
    growth,
    latency,
    mamba_scan,
    module_training,
    objectives,
    serving_speed,
    size,
    startup,
    token_latency,
    train_command,
)
from bench.process import Sandbox, sandbox
from bench.result_table import Row, show

BENCHMARKS: dict[str, Callable[[Sandbox], Iterator[Row]]] = {
    "startup": startup.measure,
    "export": export.measure,
    "growth": growth.measure,
    "training": module_training.measure,
    "train": train_command.measure,
    "epochs": epochs.measure,
    "objectives": objectives.measure,
    "flax": flax_training.measure,
    "scan": mamba_scan.measure,
    "editing": editing.measure,
    "latency": latency.measure,
    "size": size.measure,
    "tokens": token_latency.measure,
    "serving": serving_speed.measure,
}


def main() -> int:
    """The exit code: 1 if a limit is missed and `--check` asks for it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compares netc with its peers.")
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=f"{', '.join(BENCHMARKS)}; all of them unless named")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is missed")
    asked = parser.parse_args()
    unknown = [name for name in asked.benchmarks if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}: there are {', '.join(BENCHMARKS)}")
    rows: list[Row] = []
    with sandbox() as here:
        for name in asked.benchmarks or BENCHMARKS:
            for row in BENCHMARKS[name](here):
                rows.append(row)
                print(f"{row.what}: {row.ratio:.2f}", file=sys.stderr, flush=True)
    print(show(rows))
    return int(asked.check and not all(row.held for row in rows))


if __name__ == "__main__":
    sys.exit(main())
