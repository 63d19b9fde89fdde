"""Prefetching: compute the next results in a thread while the caller works.

In: a function and its arguments. Out: its results, in order. Always: a single thread calls the function, so it need not be thread-safe; an
error is raised in place of its result; no thread outlives a caller that stops early.

>>> list(prefetch_results(str, range(3)))
['0', '1', '2']
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
_DEPTH = 2
"""The number of results that are ready or in progress, in addition to the caller's."""


def prefetch_results(make: Callable[[K], V], keys: Iterable[K], depth: int = _DEPTH) -> Iterator[V]:
    """Compute `map(make, keys)` ahead."""
    remaining = iter(keys)
    with ThreadPoolExecutor(1, thread_name_prefix="netc-data") as pool:
        waiting: deque[Future[V]] = deque(pool.submit(make, key) for key in islice(remaining, depth))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(make, key) for key in islice(remaining, 1))
                yield result
        finally:  # the pool's exit waits for everything that was submitted
            for future in waiting:
                future.cancel()
