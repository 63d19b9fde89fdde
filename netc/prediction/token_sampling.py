"""Choose the next token from the scores of all tokens.

In: scores `[vocabulary]`, and a `Sampling`. Out: the number of a token. Always: the distribution is the one of transformers, which divides
the scores by the temperature, then keeps the `top_k` best, then the best that together have the probability `top_p`.

>>> choose_token(np.array([0.0, 3.0, 1.0]), Sampling(temperature=0), np.random.default_rng(0))
1
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

Scores = NDArray[Any]


class Sampling(Record):
    """How to choose tokens. A `temperature` of 0 takes the best one. Without `top_k` and `top_p`, every token may be drawn."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def check(self) -> None:
        """Raise `ValueError` for settings that are out of range, or have no effect."""
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"the temperature must be a finite number of at least 0, not {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.temperature == 0 and (self.top_k is not None or self.top_p is not None):
            raise ValueError("at the temperature 0, the best token is taken: top_k and top_p have no effect")


def choose_token(scores: Scores, sampling: Sampling, generator: np.random.Generator) -> int:
    """Choose a token. Raises `ValueError` for scores that are NaN or infinite."""
    best = int(scores.argmax())  # the first NaN, if there is one
    if not np.isfinite(scores[best]):
        raise ValueError(f"the score of the token {best} is {float(scores[best])}: the weights, or what they compute, are not finite")
    if sampling.temperature == 0:
        return best
    cumulative = compute_probabilities(scores, sampling).cumsum()
    # A number below the total is below the sum up to some token, whose probability is not 0.
    return int(np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right"))


def compute_probabilities(scores: Scores, sampling: Sampling) -> NDArray[np.float64]:
    """Return the probability of each token."""
    exact = scores.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        # the best score is 0, also divided by a tiny temperature; others may become -inf, and their probability 0
        scaled = (exact - exact.max()) / sampling.temperature
        if sampling.top_k is not None and sampling.top_k < len(scaled):
            scaled[scaled < np.partition(scaled, -sampling.top_k)[-sampling.top_k]] = -np.inf
        probabilities = np.exp(scaled)
    normalized: NDArray[np.float64] = probabilities / probabilities.sum()
    return normalized if sampling.top_p is None else _keep_nucleus(normalized, sampling.top_p)


def _keep_nucleus(probabilities: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Keep the best tokens: each whose better ones together are below the share."""
    # stable: of equal probabilities, the smaller token comes first on every machine
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    kept = order[ordered.cumsum() - ordered < share]
    result = np.zeros_like(probabilities)
    result[kept] = probabilities[kept]
    result /= result.sum()
    return result
