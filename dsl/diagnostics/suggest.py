"""Did-you-mean: the known names most similar to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 2


def near(name: str, candidates: Iterable[str]) -> list[str]:
    """At most two candidates: those that differ only in case, otherwise those within an edit distance of a third of the length, otherwise
    those of which it is the first word."""
    known = sorted(set(candidates) - {name})
    folded = name.casefold()
    same = [one for one in known if one.casefold() == folded]
    if same:
        return same[:MOST]
    limit = len(name) // 3
    if limit == 0:
        return []
    found: list[tuple[int, str]] = []
    for one in known:
        if abs(len(one) - len(name)) <= limit:
            distance = _distance(folded, one.casefold(), limit)
            if distance <= limit:
                found.append((distance, one))
    return [one for _, one in sorted(found)[:MOST]] or [one for one in known if one.casefold().startswith(f"{folded}_")][:MOST]


def _distance(a: str, b: str, limit: int) -> int:
    """Edits (insert, delete, replace, swap neighbours) from `a` to `b`; some number above `limit` if there are more than that."""
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit and min(previous) > limit:
            return limit + 1
        before, previous = previous, row
    return previous[-1]
