"""Finds the known names that are most similar to an unknown one, for "did you mean".

>>> find_similar_names("liner", ["linear", "dense", "line"])
['line', 'linear']
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_SUGGESTIONS = 2


def find_similar_names(name: str, candidates: Iterable[str]) -> list[str]:
    """At most two candidates: those that differ only in case, otherwise those within an edit distance of a third of the length, otherwise
    those that begin with it as a word."""
    known = sorted(set(candidates) - {name})
    folded = name.casefold()
    same = [candidate for candidate in known if candidate.casefold() == folded]
    if same:
        return same[:MAX_SUGGESTIONS]
    # A third of the letters: two typing errors in a word of six, and none in `in` or `fc`, to which almost every short name is similar.
    limit = len(name) // 3
    if limit == 0:
        return []
    matches: list[tuple[int, str]] = []
    for candidate in known:
        if abs(len(candidate) - len(name)) <= limit:
            distance = _edit_distance(folded, candidate.casefold(), limit)
            if distance <= limit:
                matches.append((distance, candidate))
    return [candidate for _, candidate in sorted(matches)[:MAX_SUGGESTIONS]] or [
        candidate for candidate in known if candidate.casefold().startswith(f"{folded}_")
    ][:MAX_SUGGESTIONS]


def _edit_distance(a: str, b: str, limit: int) -> int:
    """Edits (insert, delete, replace, swap neighbors) from `a` to `b`; some number above `limit` if there are more than that."""
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        # A swap looks back two rows, so both must be over the limit before the distance is known to be.
        if min(row) > limit and min(previous) > limit:
            return limit + 1
        before, previous = previous, row
    return previous[-1]
