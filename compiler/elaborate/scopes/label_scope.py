"""Names of stages within a graph: the labels that become keys of the state dict.

In a body, an unlabeled stage is named by operator and ordinal (`dense1`); in a sequence, unlabeled stages are numbered from 0, as in
`nn.Sequential`.

    >>> labels = LabelAllocator(numbered=False)
    >>> span = None
    >>> labels.allocate_label("dense", span), labels.allocate_label("relu", span), labels.allocate_label("dense", span)
    ('dense1', 'relu1', 'dense2')
"""

from __future__ import annotations

from itertools import accumulate

from netc.dsl.source import Span

from ...errors.label_errors import LabelTwice, LabelWithin
from .early_exits import Failure


class LabelAllocator:
    """Allocates the labels of one graph and knows which are taken."""

    def __init__(self, numbered: bool) -> None:
        self.numbered = numbered
        self.used: dict[str, Span] = {}
        self.levels: dict[str, tuple[str, Span]] = {}
        """The prefixes of labels with several levels, each with the first such label."""
        self.explicit: set[str] = set()
        self._words: dict[str, str] = {}
        """By each label of operator and ordinal, the operator."""
        self._counts: dict[str, int] = {}

    def allocate_label(self, operator: str, span: Span) -> str:
        """The label of an unlabeled stage."""
        return self._next_free("", span) if self.numbered else self.allocate_ordinal(operator, span)

    def allocate_ordinal(self, operator: str, span: Span) -> str:
        """A label of operator and ordinal. In a sequence, arithmetic has these: it is no member of the sequence."""
        return self._next_free(operator, span)

    def _next_free(self, word: str, span: Span) -> str:
        while True:
            count = self._counts.get(word, 0)
            self._counts[word] = count + 1
            label = f"{word}{count + 1}" if word else str(count)
            # An explicit label may have taken the number: `dense2` above an unlabeled `dense`.
            if label not in self.used and label not in self.levels:
                self.used[label] = span
                if word:
                    self._words[label] = word
                return label

    def find_automatic(self, label: str) -> str | None:
        """The label of operator and ordinal that is in the way of this one: the same, or one that it would be a level of."""
        return next((above for above in accumulate(label.split("."), "{}.{}".format) if above in self._words), None)

    def replace_automatic(self, label: str) -> str:
        """Frees a label of operator and ordinal, and returns the next one for its stage."""
        return self._next_free(self._words.pop(label), self.used.pop(label))

    def claim_label(self, label: str, span: Span) -> str:
        """Takes a label that was written. Rejects one that is taken already, or of which the other would be a level."""
        # The reader never wrote the label that is in the way, so the message must say where it comes from.
        automatic = label in self.used and label not in self.explicit
        conflict = self._register_label(label, span)
        if conflict is None:
            return label
        other, place = conflict
        if automatic:
            raise Failure(LabelTwice(label, given=True), span, ((place, f"this one has no label and is called `{label}`"),))
        if other != label:
            raise Failure(LabelWithin(*sorted((label, other), key=len)), span, ((place, f"this is `{other}`"),))
        raise Failure(LabelTwice(label, span.text if place == span else ""), span, ((place, "first here"),))

    def _register_label(self, label: str, span: Span) -> tuple[str, Span] | None:
        """Registers the label, or returns the label that it conflicts with."""
        above = list(accumulate(label.split("."), "{}.{}".format))[:-1]
        # `a` and `a.b` exclude each other, whichever comes first: `a` would be a stage and a level of other labels.
        earlier = next(((other, self.used[other]) for other in (label, *above) if other in self.used), self.levels.get(label))
        if earlier is None:
            self.used[label] = span
            self.explicit.add(label)
            for level in above:
                self.levels.setdefault(level, (label, span))
        return earlier
