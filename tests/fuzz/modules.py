"""`python -m tests.fuzz.modules`: random PyTorch modules, imported. Each is proved, or refused with what cannot be imported.

A module is a text: a class with layers, classes within it that are called once, twice or in turn, and expressions that PyTorch has been
asked about for two sizes of the batch. The judges are PyTorch and ONNX Runtime, in the proof of the import.
"""

from __future__ import annotations

import sys
import warnings
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.fuzz.campaign import Found, main
from tests.fuzz.module_texts import ALONG, ELEMENTWISE, OF_TWO, SHAPED, layers

NAMES = {"torch": torch, "nn": nn, "F": F}
SHAPES = ((6,), (5, 6), (4, 8), (3, 8, 8), (4, 6, 5), (2, 4, 4))
BATCHES = (2, 3)
LARGEST = 3000
"""Elements of a tensor."""
IN_TURN = ("nn.ModuleList({c}() for _ in range({n}))", "nn.Sequential(*[{c}() for _ in range({n})])")


class Written:
    """A class that is being written. `values` has the tensors by name, for each size of the batch."""

    def __init__(self, random: Random, shape: tuple[int, ...], name: str = "Net", depth: int = 0) -> None:
        self.random, self.name, self.depth = random, name, depth
        self.classes: list[str] = []
        self.initial: list[str] = []
        self.lines: list[str] = []
        self.values = {"x": [torch.randn(batch, *shape) for batch in BATCHES]}
        self.module = nn.Module()

    def write(self, steps: int) -> None:
        for _ in range(10 * steps):
            if len(self.lines) >= steps:
                return
            self._step()

    def text(self) -> str:
        """The class, and those that it needs."""
        result = list(self.values)[-1]
        begin = [f"class {self.name}(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        body = [*(f"        {line}" for line in self.initial), "    def forward(self, x):", *(f"        {line}" for line in self.lines)]
        return "\n".join([*self.classes, *begin, *body, f"        return {result}", ""])

    def _step(self) -> None:
        x = self.random.choice([list(self.values)[-1], *self.values])
        shape = self.values[x][0].shape
        kind = self.random.randrange(8)
        if kind == 0 and len(shape) > 1:
            self._layer(self.random.choice(layers(shape, self.random.choice((1, 3, 6)))), x, ("self.{m}({x})",))
        elif kind == 1 and len(shape) > 1 and self.depth < 2:
            self._class(x, tuple(shape[1:]))
        else:
            others = [name for name in self.values if name != x]  # of a tensor and itself, rounding errors would be all that there is
            texts = self.random.choice((ELEMENTWISE, ALONG, SHAPED, *([OF_TWO] if others else [])))
            y, axis = self.random.choice(others or [x]), self.random.choice((-2, -1, 0, 1, 2))
            self._assign(self.random.choice(texts).format(x=x, y=y, d=axis))

    def _class(self, x: str, shape: tuple[int, ...]) -> None:
        inner = Written(self.random, shape, f"{self.name}{len(self.classes)}", self.depth + 1)
        inner.write(self.random.randint(1, 3))
        self.classes.append(inner.text())
        uses = ("self.{m}({x})", "self.{m}({x}) + self.{m}({x} * 2)", "(self.{m}({x}), self.{m}({x} * 2))[1]")
        result = list(inner.values.values())[-1][0]
        if result.shape == inner.values["x"][0].shape and self.random.random() < 0.6:
            made = self.random.choice(IN_TURN).format(c=inner.name, n=self.random.randint(2, 4))
            self._layer(made, x, ("nn.Sequential(*self.{m})({x})",))
        else:
            self._layer(f"{inner.name}()", x, uses)

    def _layer(self, made: str, x: str, uses: tuple[str, ...]) -> None:
        name = f"m{len(self.initial)}"
        try:
            layer = eval(made, self._names())
        except (TypeError, ValueError, RuntimeError):
            return
        setattr(self.module, name, layer.eval())
        if self._assign(self.random.choice(uses).format(m=name, x=x)):
            self.initial.append(f"self.{name} = {made}")

    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = dict(NAMES)
        for text in self.classes:
            exec(text, names)
        return names

    def _assign(self, expression: str) -> bool:
        """Whether PyTorch can compute it for each size of the batch."""
        made: list[Any] = []
        self.module.eval()
        for at in range(len(BATCHES)):
            given = {name: values[at].clone() for name, values in self.values.items()}
            try:
                with torch.no_grad():
                    made.append(eval(expression, {**self._names(), "self": self.module, **given}))
            except (TypeError, ValueError, RuntimeError, IndexError, AttributeError, AssertionError, NotImplementedError):
                return False
        if not all(isinstance(one, Tensor) and one.dim() == made[0].dim() <= 5 and 0 < one.numel() <= LARGEST for one in made):
            return False
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        self.values[name] = made
        return True


def made(random: Random) -> tuple[str, nn.Module, Tensor]:
    """The text of a module, the module, and an example of its input."""
    seed = random.randrange(2**31)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = random.choice(SHAPES)
        written = Written(random, shape)
        written.write(random.randint(1, 6))
        names: dict[str, Any] = dict(NAMES)
        exec(written.text(), names)
        return written.text(), names["Net"]().eval(), torch.randn(2, *shape)


def check(random: Random, stem: str) -> Found:
    """Imports one."""
    import netc
    from netc.compiler.frontends.base import ImportFailed
    from netc.importing.proof import NotProved

    warnings.simplefilter("ignore")
    text, module, x = made(random)
    try:
        netc.from_torch(module, x)
    except ImportFailed:
        return Found("refused")
    except NotProved as error:
        return Found("not proved", f"{error}\n{text}")
    except Exception as error:  # whatever it is, it is wrong
        return Found("raised", f"{type(error).__name__}: {error}\n{text}")
    return Found("proved")


if __name__ == "__main__":
    sys.exit(main(check, "modules"))
