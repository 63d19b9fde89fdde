"""The probes that code reaches, whoever runs it: this process, its forks and the processes that tests start.

In: calls of `__hit__(number)`. Out: the numbers that a test, a fixture or a cached function has reached. Always: no process reports at its
end, so one that is killed, that ends by `os._exit` or that outlives the test counts too.
"""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HITS = "MUTANTS_HITS"
SITE = f"""
import builtins, mmap, os

with open(os.environ["{HITS}"], "r+b") as file:
    hits = mmap.mmap(file.fileno(), 0)

def note(probe):
    hits[probe] = 1

builtins.__hit__ = note
"""
"""The sitecustomize.py of processes that tests start: these note the probes that they reach in the file of `Hits`."""


class Hits:
    """A byte of a file in memory for each probe, which other processes map too."""

    def __init__(self, path: Path, probes: int) -> None:
        path.write_bytes(bytes(max(probes, 1)))  # an empty file cannot be mapped
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.reached: set[int] = set()
        """What the code that collects has reached, as far as it is known."""

    def note(self, probe: int) -> None:
        self._map[probe] = 1

    def update(self) -> set[int]:
        """Add the newest hits to `reached`."""
        new = self._map[:]
        self._map[:] = bytes(len(new))
        self.reached.update(probe for probe, byte in enumerate(new) if byte)
        return self.reached

    @contextmanager
    def collect(self) -> Iterator[set[int]]:
        """The set is complete after the body. Its probes are reached by the code around, too."""
        self.update()
        around, self.reached = self.reached, set()
        own = self.reached
        try:
            yield own
        finally:
            self.update()
            around |= own
            self.reached = around

    def note_cached_results(self, tree: Path) -> None:
        """Let each call of a cached function of the tree reach what made the result, even if an earlier test made it."""
        make_cache = functools.lru_cache

        def make_noting_cache(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Callable[..., Any]:
            code = getattr(function, "__code__", None)
            if code is None or not Path(code.co_filename).is_relative_to(tree):
                return make_cache(maxsize, typed)(function)

            @make_cache(maxsize, typed)
            def compute(*args: Any, **keywords: Any) -> tuple[Any, set[int]]:
                with self.collect() as own:
                    result = function(*args, **keywords)
                return result, own

            @functools.wraps(function)
            def call(*args: Any, **keywords: Any) -> Any:
                result, reached = compute(*args, **keywords)
                self.reached |= reached
                return result

            vars(call).update({name: getattr(compute, name) for name in ("cache_clear", "cache_info", "cache_parameters")})
            return call

        def lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
            if callable(maxsize):  # a decorator without parentheses
                return make_noting_cache(maxsize, 128, typed)
            return lambda function: make_noting_cache(function, maxsize, typed)

        functools.lru_cache = lru_cache  # type: ignore[assignment]
        functools.cache = lru_cache(None)
