"""Random specs with everything that the language has: blocks with parameters and of other files, loops that collect, choices, tables,
scans, shared stages, tuples, lists of inputs, conditions on sizes, `if training`, functions, several models and train sections.

In: a source of randomness. Out: a text. Always: most of them compile, as each stage is one that fits the shape so far; sizes are small, and
also 1 and primes.
"""

from __future__ import annotations

from random import Random

from tests.forms.random_stages import NUMBERS, StageWriter, Tensor


class SpecWriter(StageWriter):
    """Writes one spec: inputs, stages, outputs, and a train section."""

    def input(self) -> tuple[str, tuple[object, ...]]:
        width, other = self.size(), self.size()
        return self.random.choice(
            (
                (f"input {width}", (width,)),
                (f"input [{self.number(width)}]", (width,)),
                (f"input [T, {self.number(width)}]", ("T", width)),
                (f"input [T, {width}] where T % 2 == 0", ("T", width)),
                (f"input [{other}, {self.number(width)}]", (other, width)),
                (f"input {width}x{other + 2}x{other + 2}", (width, other + 2, other + 2)),
                (f"input {width}xHxW", (width, "H", "W")),
            )
        )

    def listed(self, text: str) -> str:
        """The tensor `x` as made of a list of inputs."""
        name, (shape, where, condition) = self.fresh("xs"), text.partition(" where ")
        items = self.pick("2", "3", f"[4, {self.number(2)}]")
        x = self.pick(f"{name}[0]", f"{name}[0] + {name}[-1]", f"{name} -> add", f"{name} -> stack axis=1 -> mean axis=1")
        return f"{name} = {shape} for {self.pick('_', 'i')} in {items}{where}{condition}\nx = {x}"

    def program(self) -> str:
        self.definitions_of_values()
        text, axes = self.input()
        lines = [f"x = {text}"]
        y = self.stages(Tensor("x", axes), self.random.randrange(1, 5))
        lines += self._flushed()
        lines.append(f"y = {y.text}")
        if self.chance(0.3):
            z = self.stages(Tensor("y", y.axes), 2)
            lines += [*self._flushed(), f"z = {z.text}", "out y, z"]
        if self.chance(0.1):
            lines[lines.index(f"x = {text}")] = self.listed(text)
        form = self.random.randrange(4)
        section = self.section(y) if self.chance(0.5) else []
        if form == 0:
            name = self.fresh("m")
            parameters = (
                f"({', '.join(f'{name}={value}' for name, value in self.values.items())})" if self.chance(0.3) and self.values else ""
            )
            body = ["let m_ = 1", *lines] if self.chance(0.1) else lines
            return "\n".join([*self.definitions, f"model {name}{parameters} {{", *(f"  {line}" for line in body), "}", *section]) + "\n"
        return "\n".join([*self.definitions, *lines, *section]) + "\n"

    def _flushed(self) -> list[str]:
        before, self.before = self.before, []
        return before

    def section(self, y: Tensor) -> list[str]:
        """A train section on the tensor `y`."""
        kind = self.random.randrange(4)
        number = self.pick(*NUMBERS)
        shape = f"[{', '.join(map(str, y.axes))}]"
        lines = [f"  target = input {shape}"]
        if kind == 0:
            lines += ["  loss = (y, target) -> mse_loss", "  metric off = (y, target) -> l1_loss"]
        elif kind == 1:
            lines += [f"  let scale = {number}", "  loss = (y - target -> square -> mean) * scale"]
        elif kind == 2:
            lines += [
                f"  loss = {number.replace('-1', '2')} * ((y, target) -> smooth_l1_loss beta={self.pick('0.5', '1.5')})",
                f"  metric m = (y -> mean) + {number}",
            ]
        else:
            lines += [f"  loss = (y, target) -> huber_loss delta={self.pick('0.5', '2')}", "  metric worst = y - target -> abs -> mean"]
        settings = (
            f"optimizer sgd lr={self.pick('0.1', '1e-2')} momentum=0.9",
            "epochs 3",
            "batch 8 accumulate=2",
            "clip 1.0",
            "ema 0.9",
            "schedule warmup 5 -> cosine",
            "seed 3",
            "optimizer adamw lr=1e-3 weight_decay=0.1",
        )
        chosen = self.random.sample(settings, 3)
        words = set()
        for one in chosen:
            if one.split()[0] not in words:
                words.add(one.split()[0])
                lines.append(f"  {one}")
        return ["", "train {", *lines, "}"]


def program(random: Random) -> str:
    """A random spec, which may not compile."""
    return SpecWriter(random).program()
