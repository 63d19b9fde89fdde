"""Whatever the elaborator proves about symbolic sizes is true for all small sizes.

Each example states random conditions in a `where` and asks random questions, whose answers Python's own arithmetic checks for all sizes
1..7 that satisfy the conditions. `(S + T) // 3 * 3 == S + T + 2` is a question; `where (S + T) % 3 == 1` decides it. The elaborator may
refuse any question, but it must not give a wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from profiles import examples

from netc.analysis import Choice, analyze
from netc.dsl.source import SourceFile

LARGEST = 7
QUESTIONS = 12
TRUE, FALSE = 77, 78
"""The number of channels that the stage of each branch wrongly states: the error names it, and so the branch that was chosen."""
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
Sizes = tuple[int, ...]


class Writer:
    """Writes conditions that a witness, a random point, satisfies, and questions about the expressions in them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.names = "STU"[: random.choice((2, 2, 3))]
        self.witness = tuple(random.randint(1, LARGEST) for _ in self.names)
        self.used: list[tuple[str, int]] = []
        """The sums in conditions, and the divisors with them."""

    def read(self, text: str) -> Callable[..., int]:
        """The expression as a function of the sizes: netc's expressions of integers are Python's."""
        function: Callable[..., int] = eval(f"lambda {', '.join(self.names)}: {text}")
        return function

    def at_witness(self, text: str) -> int:
        return self.read(text)(*self.witness)

    def new_sum(self) -> str:
        """A linear combination of one or two names, or a product."""
        names = self.random.sample(self.names, self.random.choice((1, 2, 2)))
        if len(names) == 2 and self.random.random() < 0.15:
            return f"({names[0]} * {names[1]})"
        terms = [f"{self.random.choice((1, 1, 1, 2, 3, 5))} * {name}" for name in names]
        return f"({self.random.choice((' + ', ' + ', ' - ')).join(terms)})".replace("1 * ", "")

    def condition(self) -> str:
        left, k = self.new_sum(), self.random.randint(2, 5)
        self.used.append((left, k))
        value = self.at_witness(left)
        match self.random.randint(0, 6):
            case 0 | 1 | 2:
                return f"{left} % {k} == {value % k}"
            case 3:
                return f"{left} // {k} == {value // k}"
            case 4:
                right = self.new_sum()
                self.used.append((right, k))
                return f"{left} == {right} + {value - self.at_witness(right)}".replace("+ -", "- ")
            case 5:
                step = self.random.randint(1, 3)
                return f"{left} in [{', '.join(str(value + step * at) for at in range(-1, 2))}]"
        sign, offset = self.random.choice(((">=", 0), ("<=", 0), (">", -1), ("<", 1), ("!=", 1), ("!=", -1)))
        return f"{left} {sign} {value + offset}"

    def shifted(self) -> tuple[str, int]:
        """A sum and a number, and a divisor: mostly from one condition."""
        start, k = self.random.choice(self.used) if self.random.random() < 0.8 else (self.new_sum(), self.random.randint(2, 5))
        return f"({start} + {self.random.randint(-3, 4)})".replace("+ -", "- "), k

    def sides(self) -> tuple[str, str]:
        """Two expressions that may be equal."""
        left, k = self.shifted()
        match self.random.randint(0, 5):
            case 0 | 1:
                return f"{left} // {k} * {k}", self.random.choice((left, f"({left} + {self.random.randint(-2, 2)})".replace("+ -", "- ")))
            case 2:
                return f"{left} % {k}", str(self.at_witness(f"{left} % {k}"))
            case 3:
                return f"{left} // {k}", f"{self.shifted()[0]} // {k}"
            case 4:
                return f"{self.random.choice(('min', 'max'))}({left}, {self.shifted()[0]})", left
        return left, self.shifted()[0] if self.random.random() < 0.7 else str(self.at_witness(left))


def question(writer: Writer) -> tuple[str, str]:
    """A line of text, and the comparison that it claims if it is accepted."""
    left, right = writer.sides()
    match writer.random.randint(0, 3):
        case 0:
            return f"table (i) [{left} + 50] = i -> reshape [{right} + 50]", f"{left} == {right}"  # `reshape [-1]` takes any size
        case 1:
            left, k = writer.shifted()
            return f"table (i) [({left}) / {k} + 9] = i -> is [({left}) // {k} + 9]", f"({left}) % {k} == 0"
    claim = f"{left} {writer.random.choice(('==', *COMPARISONS))} {right}"
    return f"x -> if {claim} {{ is [N, {TRUE}] }} else {{ is [N, {FALSE}] }}", claim


def answers_of(lines: list[str]) -> tuple[dict[int, bool], str]:
    """The answers by the line's index, without the refused questions, and the text of the first line's error."""
    text = "\n".join([*lines, f"x -> if 1 == 1 {{ is [N, {TRUE}] }} else {{ relu }}"])
    errors: dict[int, str] = {}
    for one in analyze(SourceFile("a.net", text), Choice()).diagnostics:
        if one.severity == "error":
            errors.setdefault(text.count("\n", 0, one.span.start), f"{one.code}: {one.message}")
    answers: dict[int, bool] = {}
    if len(lines) not in errors:  # a limit ended the elaboration early: a line without an error proves nothing
        return answers, errors.get(0, "")
    for index, line in enumerate(lines[1:], 1):
        error = errors.get(index, "")
        if line.startswith("table"):
            if not error:
                answers[index] = True
        elif error.startswith("is-mismatch"):
            answers[index] = f"[N, {TRUE}]" in error
    return answers, errors.get(0, "")


@pytest.mark.long
@settings(max_examples=examples(150), phases=[Phase.generate])  # a smaller seed is no simpler text
@given(st.integers(0, 2**62))
def test_proofs_are_true_for_small_sizes(seed: int) -> None:
    random = Random(seed)
    writer = Writer(random)
    conditions = [writer.condition() for _ in range(random.randint(1, 3))]
    questions = [question(writer) for _ in range(QUESTIONS)]
    lines = [f"x = input [{', '.join(writer.names)}] where {', '.join(conditions)}", *(line for line, _ in questions)]
    answers, refused = answers_of(lines)
    assert "contradiction" not in refused, f"{lines[0]} holds for {writer.witness}"
    if refused:
        return
    holds = writer.read(" and ".join(conditions))
    points = [sizes for sizes in product(range(1, LARGEST + 1), repeat=len(writer.names)) if holds(*sizes)]
    for index, answer in answers.items():
        claim = writer.read(questions[index - 1][1])
        wrong = [sizes for sizes in points if claim(*sizes) != answer]
        assert not wrong, (
            f"{lines[0]}\n{lines[index]}\nis answered {answer}, which is wrong for {dict(zip(writer.names, wrong[0], strict=True))}"
        )


@pytest.mark.parametrize(("offset", "proved"), [(0, False), (1, False), (2, True), (5, True)])
def test_a_remainder_of_a_sum(offset: int, proved: bool) -> None:
    """The questions are not all refused: a sum with remainder 1 is a multiple of 3 after 2 are added, and only then."""
    size = f"S + T + {offset}"
    answers, _ = answers_of(["x = input [S, T] where (S + T) % 3 == 1", f"table (i) [({size}) // 3 * 3] = i -> reshape [{size}]"])
    assert answers == ({1: True} if proved else {})
