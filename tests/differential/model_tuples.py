"""Statements on several tensors at once, for random models: they change places, are doubled, and pass through stages one by one.

In: the tensors that a model has. Out: statements, and what they name. Always: the position of each tensor is computed here, step by step,
as `repeat` would do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netc.dsl.record import Record

PARTS = ("a", "b", "c")


class Form(Record):
    """What a tensor is: `vector`, `sequence` or `image`, and how long or large. Tensors of one form differ in their width alone."""

    kind: str
    space: str = ""

    @property
    def axis(self) -> int:
        """The axis of the width."""
        return -1 if self.kind == "sequence" else 1


class Tensor(Record):
    name: str
    form: Form
    width: int


class Tuples:
    """The part of a writer that writes them."""

    if TYPE_CHECKING:
        lines: list[str]
        tensors: list[Tensor]
        room: int

        def pick(self, some: Sequence[Any]) -> Any: ...
        def number(self, low: int, high: int) -> int: ...
        def chance(self, one_in: int) -> bool: ...
        def fresh(self, prefix: str) -> str: ...
        def _keeping(self, form: Form, width: int, depth: int) -> tuple[str, int]: ...

    def several(self, name: str, tensor: Tensor) -> None:
        """Two or three tensors, any of them more than once, through a body that moves them; each is named afterwards."""
        count = self.number(2, 3)
        given = [tensor, *(self.pick(self.tensors) for _ in range(count - 1))]
        order = self.pick((list(range(count))[::-1], [self.number(0, count - 1) for _ in range(count)]))
        body, staged = self._body(order, given)
        times = 1 if staged else self.number(0, 5)
        stage = self._through(body, count, times)
        moved = list(given)
        for _ in range(times):
            moved = [moved[i] for i in order]
        names = [self.fresh("h") for _ in range(count)]
        self.room -= 1 + staged
        source = f"({', '.join(t.name for t in given)})"
        self.lines.append(f"({', '.join(names)}) = {source} -> {stage}")
        self.tensors += [Tensor(n, t.form, t.width) for n, t in zip(names, moved, strict=True)]

    def collected(self, name: str, tensor: Tensor) -> None:
        """What the iterations of a loop give, in a list that another loop iterates over, or that is concatenated."""
        body, width = self._keeping(tensor.form, tensor.width, 1)
        items, times = self.fresh("list"), self.number(1, 4)
        label = self.pick(("", f" as {self.fresh('loop')}", f" as {self.fresh('loop')}{{i}}"))
        results, names = self.pick((("y, y", f"{name}, {items}[]"), ("y -> tanh, y", f"{items}[], {name}")))
        self.lines.append(f"({names}) = {tensor.name} -> repeat i in 0..{times}{label} {{ y = in -> {body}; out {results} }}")
        self.tensors.append(Tensor(name, tensor.form, width))
        made = self.fresh("h")
        if self.chance(2):
            again = self.pick(("", f" as {self.fresh('loop')}"))
            self.lines.append(f"{made} = {name} -> repeat item in {items}{again} {{ in + item }}")
        else:
            self.lines.append(f"{made} = {items} -> stack axis=0 -> {self.pick(('mean', 'sum'))} axis=0")
        self.tensors.append(Tensor(made, tensor.form, width))
        self.room -= 3

    def either(self, name: str, tensor: Tensor) -> None:
        """One stage in training, another one in evaluation."""
        (first, width), (second, _) = (self._keeping(tensor.form, tensor.width, 1) for _ in range(2))
        branches = self.pick((f"{{ {first} }} else {{ {second} }}", f"{{ {first} }}"))
        self.lines.append(f"{name} = {tensor.name} -> if {self.pick(('', 'not '))}training {branches}")
        self.tensors.append(Tensor(name, tensor.form, width))
        self.room -= 2

    def _body(self, order: Sequence[int], given: Sequence[Tensor]) -> tuple[str, bool]:
        """Statements that end in a tuple; and whether a stage is among them, which is right for these tensors only."""
        parts = PARTS[: len(order)]
        results = [parts[i] for i in order]
        staged = self.chance(3)
        if staged:
            at = self.number(0, len(order) - 1)
            moved = given[order[at]]
            results[at] = f"{results[at]} -> {self._keeping(moved.form, moved.width, 0)[0]}"
        unpacked = f"({', '.join(parts)}) = in"
        return f"{unpacked}; {self.pick(('out {}', '({})')).format(', '.join(results))}", staged

    def _through(self, body: str, count: int, times: int) -> str:
        """The stage that runs the body that number of times."""
        label = self.pick(("", f" as {self.fresh('moved')}"))
        if times == 1:
            return self.pick(
                (f"repeat 1{label} {{ {body} }}", f"if true {{ {body} }}", self._shared_one(body), self._block_of(body, count))
            )
        if times == 0:
            return self.pick((f"repeat 0 {{ {body} }}", f"if false {{ {body} }}"))
        loop = f"repeat {times}{label} {{ {body} }}"
        block = self._block_of(body, count)
        return self.pick(
            (loop, f"repeat i in 0..{times}{label} {{ {body} }}", f"repeat {times}{label} {{ {block} }}", " -> ".join([block] * times))
        )

    def _shared_one(self, body: str) -> str:
        name = self.fresh("shared")
        self.lines.append(f"shared {name} = repeat 1 {{ {body} }}")
        return name

    def _block_of(self, body: str, count: int) -> str:
        """A block of as many tensors."""
        name, parts = self.fresh("move"), PARTS[:count]
        _, _, rest = body.partition("; ")
        declared = ", ".join(f"{part}: [...]" for part in parts)
        self.lines.append(f"block {name}({declared}) {{ {rest} }}")
        return name
