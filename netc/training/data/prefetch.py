"""Reading ahead: what comes next is made in a thread while the caller computes.

In: a function, and what to call it with. Out: its results, in order. Always: one thread calls the function, so that it need not be safe for
several; an error is raised where its result would be; a caller that stops leaves no thread.
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
"""Results that are ready or being made, beyond the one that the caller has."""


def ahead(make: Callable[[K], V], keys: Iterable[K], depth: int = _DEPTH) -> Iterator[V]:
    """`map(make, keys)`, made ahead."""
    left = iter(keys)
    with ThreadPoolExecutor(1, thread_name_prefix="netc-data") as pool:
        waiting: deque[Future[V]] = deque(pool.submit(make, key) for key in islice(left, depth))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(pool.submit(make, key) for key in islice(left, 1))
                yield made
        finally:
            for one in waiting:
                one.cancel()
