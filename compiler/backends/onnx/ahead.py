"""Work that another thread does while its results are used.

In: functions. Out: their results, in order. Always: one result at most is made before it is asked for; what a function raises is raised
where its result is asked for; when the results are no longer asked for, nothing runs any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(functions: Iterable[Callable[[], T]]) -> Iterator[T]:
    """See the module's docstring."""
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[T] | None = None
        for function in functions:
            following = thread.submit(function)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
