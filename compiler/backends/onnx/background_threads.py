"""Work that other threads do while its results are used.

In: functions. Out: their results, in order. Always: two results at most are made before they are asked for; what a function raises is
raised where its result is asked for; when the results are no longer asked for, nothing runs any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
_AHEAD = 2
"""Threads, and results that wait. Drawing a tensor takes longer than writing it."""
MOST_AT_ONCE = 1 + 2 * _AHEAD
"""Tensors that are in memory: the one that is used, and in each thread one and its copy."""


def ahead(functions: Iterable[Callable[[], T]]) -> Iterator[T]:
    """See the module's docstring."""
    from concurrent.futures import ThreadPoolExecutor  # most models are written without

    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting: deque[Future[T]] = deque()
        for function in functions:
            waiting.append(threads.submit(function))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
