"""Random programs from a small grammar: they nearly always parse, and are seldom valid.

In: a source of randomness. Out: a text. The same few names are used for all kinds of things: tensors, numbers, blocks, functions and
dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from netc.compiler.elaborate.builtins import BUILTINS
from netc.compiler.ops.operator import Operator

NAMES = ("x", "y", "k", "f", "g", "in", "T", "N", "relu")
NUMBERS = ("0", "1", "2", "3", "6", "12", "2.5", "1e300", "99999999999999999999")
OPERATORS = sorted(Operator.registry)
ARGUMENTS = sorted({name for cls in Operator.registry.values() for name in cls.signature})
LITERALS = ('"s"', "true", "false", "3x3", "2xT", "float32", "int64")
QUESTIONS = (".shape", ".rank", ".channels", ".features", ".dtype", ".shape[0]", ".shape[7]", ".nothing")
SIGNS = ("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", ">=", "and", "or", "in")
TENSOR_SIGNS = ("+", "-", "*", "/", "//", "%", "**", "@", "==", "<")
SHAPES = ("3", "4", "[]", "[T]", "[T, 4]", "3x4x4", "3xHxW", "[N]", "[T, T / 2]")
DTYPES = ("", "", " int64", " bool", " float16", " nothing")
COUNTS = ("2", "0", "k", "x in [1, 2]", "(x, y) in enumerate([3, 4])", "T", "N")
PARAMETERS = (
    *("", "", "(k)", "(k=2)", "(x: [N, D])", "(x: [..., D], y: [N, _], k=3)", "(x: [N, 3])", "(x, x)"),
    *("(x: [...], y?: [N, _])", "(x..., k=2)", "(x: [N, D], y...: [N, _])", "(in: none, k=3)", "(x?: [N], in: none)"),
)
USES = ('use "std/nothing.net"', 'use "a.net": f', 'use "std/"')
BEGINNINGS = ("x = input 12", "x = input [T, 4]", "x = input 3x8x8", "x = input 3\ny = input 3", "")


EXAMPLES = [text for cls in Operator.registry.values() for text in cls.examples if '"' not in text]
STAGES = sorted({stage.strip() for text in EXAMPLES for line in text.split(";") for stage in line.split("->")[1:]})
"""Stages that are valid after some tensor."""


class Writer:
    """Writes one program. `depth` limits the nesting. Half of it is valid, so that errors occur deep inside."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.bound = ["x"]

    def fresh(self) -> str:
        """A name to be bound: seldom one that is bound already."""
        name = f"v{len(self.bound)}" if self.random.random() < 0.8 else self.pick(NAMES)
        self.bound.append(name)
        return name

    def name(self) -> str:
        """A name to be used."""
        return self.pick(self.bound) if self.random.random() < 0.7 else self.pick(NAMES)

    def program(self) -> str:
        lines = [self.pick(BEGINNINGS)]
        lines += [self.item() for _ in range(self.random.randint(0, 2))]
        lines += [self.statement(3) for _ in range(self.random.randint(1, 5))]
        return "\n".join(lines) + "\n"

    def pick(self, some: tuple[str, ...] | list[str]) -> str:
        return self.random.choice(some)

    def maybe(self, part: Callable[[], str]) -> str:
        return part() if self.random.random() < 0.25 else ""

    def many(self, part: Callable[[], str], between: str, least: int = 0, most: int = 3) -> str:
        return between.join(part() for _ in range(self.random.randint(least, most)))

    # --- compile-time expressions --------------------------------------------------------------------------------------------

    def expression(self, depth: int = 2) -> str:
        kind = self.random.randint(0, 12) if depth else 0
        inside = lambda: self.expression(depth - 1)  # noqa: E731
        match kind:
            case 1 | 2 | 3:
                return f"({inside()} {self.pick(SIGNS)} {inside()})"
            case 4:
                return f"(-{inside()})" if self.random.random() < 0.5 else f"(not {inside()})"
            case 5:
                return f"[{self.many(inside, ', ')}]"
            case 6:
                return f"{self.pick(NAMES)}[{inside()}]"
            case 7 | 8:
                return f"{self.pick([*BUILTINS, 'f', 'g', 'sin', 'dense'])}({self.many(inside, ', ')})"
            case 9:
                return f"({inside()} if {inside()} else {inside()})"
            case 10:
                return f"({inside()}..{inside()})"
        return self.atom()

    def atom(self) -> str:
        match self.random.randint(0, 5):
            case 0:
                return self.name()
            case 1:
                return self.pick(LITERALS)
            case 2 | 3:
                return self.name() + self.pick(QUESTIONS)
        return self.pick(NUMBERS)

    def value(self) -> str:
        kind = self.random.randint(0, 3)
        return (self.atom(), self.atom(), self.pick(("[1, 2]", "[N, 3]", "[0, 1]")), f"({self.expression()})")[kind]

    def shape(self) -> str:
        return self.pick(SHAPES) if self.random.random() < 0.6 else f"[{self.many(self.expression, ', ')}]"

    # --- pipelines -----------------------------------------------------------------------------------------------------------

    def label(self) -> str:
        return self.maybe(lambda: self.pick((" as x", " as a.b", " as _", f" as a{{{self.expression(1)}}}")))

    def stage(self) -> str:
        """An operator or block with arguments."""
        if self.random.random() < 0.6:
            return self.pick(STAGES) + self.label()
        name = self.pick(OPERATORS) if self.random.random() < 0.7 else self.pick(NAMES)
        positional = self.many(lambda: " " + self.value(), "", most=2)
        keyword = self.maybe(lambda: f" {self.pick([*ARGUMENTS, 'tie', 'nothing', 'x', 'y'])}={self.value()}")
        return name + positional + keyword + self.label()

    def head(self) -> str:
        match self.random.randint(0, 9):
            case 0 | 1:
                return self.stage()
            case 2:
                return f"input {self.shape()}{self.pick(DTYPES)}{self.maybe(lambda: ' batch=false')}{self.maybe(lambda: ' where T > 3')}"
            case 3:
                return f"param {self.shape()}{self.pick(DTYPES)}{self.maybe(lambda: ' init=' + self.value())}{self.label()}"
            case 4:
                return f"table (x, y) {self.shape()} = {self.expression()}{self.label()}"
            case 5:
                return f"{self.pick([*OPERATORS, *NAMES])}({self.many(self.expression, ', ', 1)})"
            case 6:
                return self.pick(NUMBERS)
        return self.name()

    def pipeline(self, depth: int) -> str:
        text = self.head()
        if self.random.random() < 0.2:
            text = f"{text} {self.pick(TENSOR_SIGNS)} {self.head()}"
        return " -> ".join([text, *(self.step(depth - 1) for _ in range(self.random.randint(0, 3)))])

    def step(self, depth: int) -> str:
        body = lambda: "{ " + self.many(lambda: self.statement(depth), "; ", 0, 2) + " }"  # noqa: E731
        match self.random.randint(0, 9) if depth > 0 else 9:
            case 0:
                return f"is [{self.many(self.expression, ', ')}]"
            case 1:
                return f"({self.many(lambda: self.pipeline(depth), ', ', 1, 2)}){self.label()}"
            case 2:
                return f"repeat {self.pick(COUNTS)}{self.label()} {body()}"
            case 3:
                return f"each x in {self.value()}{self.label()} {body()}"
            case 4:
                return f"if {self.expression()} {body()}" + self.maybe(lambda: f" else {body()}")
        return self.stage()

    # --- statements ----------------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> str:
        match self.random.randint(0, 12):
            case 0 | 1 | 2 | 3:
                value = self.pipeline(depth)
                return f"{self.fresh()} = {value}"
            case 4:
                value = self.pipeline(depth)
                return f"({self.fresh()}, {self.fresh()}) = {value}"
            case 5 | 6:
                value = self.expression()
                return f"let {self.fresh()} = {value}"
            case 7:
                return f"out {self.many(lambda: self.pipeline(depth), ', ', 1, 2)}"
            case 8:
                return f"shared f = {self.stage()}"
            case 9:
                return (
                    f"expect params == {self.expression()}"
                    if self.random.random() < 0.5
                    else f"expect output [{self.many(self.expression, ', ')}]"
                )
        return self.pipeline(depth)

    def item(self) -> str:
        body = lambda: "{ " + self.many(lambda: self.statement(2), "; ", 0, 3) + " }"  # noqa: E731
        match self.random.randint(0, 9):
            case 0:
                return self.pick(USES)
            case 1 | 2:
                return f"fn {self.pick(('f', 'g'))}{self.pick(('(x)', '(x, y=2)', '()'))} = {self.expression()}"
            case 3:
                return f"model {self.pick(('a', 'b'))}{self.pick(PARAMETERS)} {body()}"
        return f"block {self.pick(('f', 'g', 'relu'))}{self.pick(PARAMETERS)} {body()}"
