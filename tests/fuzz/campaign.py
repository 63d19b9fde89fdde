"""Many inputs in a few processes, with one check for each.

In: a function from the number of an input to what is wrong with it. Out: all that is wrong, printed; the exit code is 1 if anything is.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from types import FrameType
from typing import NamedTuple, NoReturn

FOLDER = Path("build/fuzz")
_CHUNK = 500
_ENDLESS = 60
"""Seconds of CPU time after which a check is interrupted."""


class Found(NamedTuple):
    """`kind` counts; `what` is for the reader. `kind` alone is the result of an input with nothing wrong."""

    kind: str
    what: str = ""


Check = Callable[[Random, str], Found]
"""Gets the randomness of one input, and the path without ending of a file that it may write."""


def main(check: Check, title: str) -> int:
    """Runs a check as the command line asks."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shown", type=int, default=20, help="how many of the wrong inputs are printed")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    numbers = range(given.first, given.first + given.count)
    counts: Counter[str] = Counter()
    wrong = 0
    with ProcessPoolExecutor(given.workers) as pool:
        for number, found in _results(pool, partial(_chunk, check, given.seed), numbers):
            counts[found.kind] += 1
            if found.what:
                wrong += 1
                if wrong <= given.shown:
                    sys.stdout.write(f"input {number} of seed {given.seed}: {found.kind}: {found.what}\n")
                    sys.stdout.flush()
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts.most_common())
    sys.stdout.write(f"{title}: {given.count} inputs, {wrong} wrong: {kinds}\n")
    return 1 if wrong else 0


def write_anew(path: Path, content: bytes) -> None:
    """Writes the file of one input over the last input's file: a file that is cut to nothing and written again is flushed to the disk by
    ext4 when it is closed, which takes longer than the check.
    """
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@contextmanager
def silent() -> Iterator[None]:
    """What libraries print from C++, as PyTorch's exporter prints each graph that it cannot write, is not printed."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _results(pool: ProcessPoolExecutor, run: Callable[[range], list[tuple[int, Found]]], numbers: range) -> Iterator[tuple[int, Found]]:
    """A few chunks at a time: a million numbers are not to wait in a queue."""
    chunks = (numbers[begin : begin + _CHUNK] for begin in range(0, len(numbers), _CHUNK))
    while batch := list(islice(chunks, 8)):
        for results in pool.map(run, batch):
            yield from results


def _chunk(check: Check, seed: int, numbers: range) -> list[tuple[int, Found]]:
    signal.signal(signal.SIGPROF, _interrupt)
    return [(number, _limited(check, Random(f"{seed} {number}"), str(FOLDER / f"process-{os.getpid()}"))) for number in numbers]


def _limited(check: Check, random: Random, stem: str) -> Found:
    signal.setitimer(signal.ITIMER_PROF, _ENDLESS)
    try:
        return check(random, stem)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"no end after {_ENDLESS} s")
