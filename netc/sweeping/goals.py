"""Parse `--by`: what a search looks for, and whether more or less of it is better.

>>> parse_goals("max:accuracy")
(Goal(metric='accuracy', higher=True),)
>>> parse_goals("pareto params,accuracy")
(Goal(metric='parameters', higher=None), Goal(metric='accuracy', higher=None))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netc.dsl.record import Record, replace

PARETO = "pareto"
DIRECTIONS = {"min": False, "max": True}
COSTS = ("parameters", "flops", "activation_bytes")
"""What is known of a model without training it. Less is better."""
_OTHER_NAMES = {"params": "parameters"}
"""`expect params == ...` of a spec has this name."""


class Goal(Record):
    """A metric or a cost. `higher`: whether a higher value is better; None if the definition of the metric decides."""

    metric: str
    higher: bool | None = None

    def format(self) -> str:
        """Return the goal as `--by` has it."""
        return f"{'max' if self.higher else 'min'}:{self.metric}"


def parse_goals(text: str) -> tuple[Goal, ...]:
    """Parse the text of `--by`. Raises `ValueError`."""
    first, _, rest = text.strip().partition(" ")
    words = [word.strip() for word in (rest if first == PARETO else text).split(",")]
    goals = tuple(_parse_goal(word) for word in words)
    names = [goal.metric for goal in goals]
    if first != PARETO and len(goals) > 1:
        raise ValueError(f"for several goals, write `--by {PARETO} {','.join(words)}`")
    if first == PARETO and len(goals) < 2:
        raise ValueError(f"`{PARETO}` takes two goals: `--by {PARETO} params,accuracy`")
    if len({*names}) < len(names):
        raise ValueError("the goals of a search are different metrics")
    return goals


def _parse_goal(word: str) -> Goal:
    direction, colon, metric = word.rpartition(":")
    if not metric.isidentifier() or (colon and direction not in DIRECTIONS):
        raise ValueError(f"expected a metric, such as `accuracy` or `max:accuracy`, got `{word}`")
    return Goal(_OTHER_NAMES.get(metric, metric), DIRECTIONS.get(direction))


def resolve_goals(goals: Sequence[Goal], known: Sequence[str], is_higher_better: Callable[[str], bool]) -> tuple[Goal, ...]:
    """Give each goal its direction. `known` are the names of all metrics, or nothing if they are not known yet. Raises `ValueError`."""
    for goal in goals:
        if known and goal.metric not in (*known, *COSTS):
            raise ValueError(f"there is no metric `{goal.metric}`; there are {', '.join(f'`{name}`' for name in known)}")
    return tuple(goal if goal.higher is not None else replace(goal, higher=is_higher_better(goal.metric)) for goal in goals)
