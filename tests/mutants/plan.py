"""Which tests run against a mistake, and in which order.

In: what was recorded of all tests. Out: rounds of test names. Always: the tests that run the code, nearest first: those in a file whose
name is like the code's, then those that run little else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

ROUNDS = (2.0, 6.0, 16.0)
"""Seconds of tests in each round: most mistakes are noticed in the first."""


class Plan:
    """What is known of all tests: seconds and probes of each, and the probes that an import reaches."""

    def __init__(self, recorded: Sequence[Mapping[str, Any]], files: Mapping[str, int]) -> None:
        """`files`: the probe of each file, which all of its functions reach."""
        self.files = files
        self.seconds: dict[str, float] = {}
        self.reached: dict[str, frozenset[int]] = {}
        self.imported: set[int] = set()
        for part in recorded:
            self.imported |= set(part["imported"])
            for name, (seconds, hits) in part["tests"].items():
                self.seconds[name] = seconds
                self.reached[name] = frozenset(hits)
        self.words = {path: _words(path) for path in {n.partition("::")[0] for n in self.seconds}}
        self.common = Counter(word for words in self.words.values() for word in words)

    def covering(self, probe: int, path: str) -> list[str]:
        """The tests that run the code. If importing runs it: those that run a function of the file, or all where there is none."""
        found = [name for name, hits in self.reached.items() if probe in hits]
        if probe not in self.imported:
            return found
        return [name for name, hits in self.reached.items() if self.files[path] in hits] or list(self.seconds)

    def rounds(self, probe: int, path: str) -> list[dict[str, float]]:
        """Names of tests with their seconds, for one run after the other until one fails."""
        nearness = {file: sum(1 / self.common[w] for w in words & _words(path)) for file, words in self.words.items()}
        chosen = sorted(self.covering(probe, path), key=lambda n: (-nearness[n.partition("::")[0]], len(self.reached[n]), self.seconds[n]))
        rounds: list[dict[str, float]] = [{} for _ in ROUNDS]
        number, left = 0, ROUNDS[0]
        for name in chosen:
            while number < len(ROUNDS) and left <= 0:
                number += 1
                left = ROUNDS[number] if number < len(ROUNDS) else 0
            if number == len(ROUNDS):
                break
            rounds[number][name] = self.seconds[name]
            left -= self.seconds[name]
        return [names for names in rounds if names]


def _words(path: str) -> set[str]:
    """The parts of a path that say what it is about; `test` and endings do not."""
    return {word.rstrip("s") for word in re.findall(r"[a-z0-9]+", path.lower())} - {"test", "py", "", "init"}
