"""Names of stages within a graph: the labels that become the keys of the state dict.

In a body, an unlabelled stage is named by operator and ordinal (`dense1`); in a sequence, unlabelled ones are numbered from 0.
"""

from __future__ import annotations

from netc.dsl.source import Span


class Namer:
    """Gives out the labels of one graph and knows which are taken."""

    def __init__(self, numbered: bool) -> None:
        self.numbered = numbered
        self.taken: dict[str, Span] = {}
        self.explicit: set[str] = set()
        self._counts: dict[str, int] = {}

    def automatic(self, operator: str, span: Span) -> str:
        """The label of an unlabelled stage."""
        while True:
            kind = "" if self.numbered else operator
            count = self._counts.get(kind, 0)
            self._counts[kind] = count + 1
            label = str(count) if self.numbered else f"{operator}{count + 1}"
            if label not in self.taken:
                self.taken[label] = span
                return label

    def claim(self, label: str, span: Span) -> Span | None:
        """Takes a label that was written. If it is taken already: where."""
        earlier = self.taken.get(label)
        if earlier is None:
            self.taken[label] = span
            self.explicit.add(label)
        return earlier
