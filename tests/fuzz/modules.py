"""`python -m tests.fuzz.modules`: random PyTorch modules, imported. Each is proved, or refused with what cannot be imported.

A module is a text: a class with layers, classes within it that are called once, twice or in turn, and expressions that PyTorch has been
asked about for two sizes of the batch. The judges are PyTorch and ONNX Runtime, in the proof of the import.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.output_judge import WORST, NotProved
from tests.fuzz.campaign import Found, main, silent
from tests.fuzz.module_texts import ALONG, ELEMENTWISE, OF_A_LAYER, OF_TWO, OWN, SHAPED, layers, parameters

NAMES = {"torch": torch, "nn": nn, "F": F}
SHAPES = ((6,), (5, 6), (4, 8), (3, 8, 8), (4, 6, 5), (2, 4, 4))
BATCHES = (2, 3)
INEXACT = re.compile(r"; the original by ([\d.e+-]+)")
"""Where the proof says how far the module itself is from what float64 makes of it: beyond `WORST`, nothing is known."""
LARGEST = 3000
"""Elements of a tensor."""
CALLS = (
    "self.{m}({x})",
    "self.{m}({x})",
    "self.{m}({x})[0]",
    "self.{m}({x}, {x}, {x})[0]",
    "self.{m}({x}, {x}, {x} * 2, need_weights=False)[0]",
)
IN_TURN = (
    ("nn.ModuleList({c}() for _ in range({n}))", "nn.Sequential(*self.{m})({x})"),
    ("nn.Sequential(*[{c}() for _ in range({n})])", "self.{m}({x})"),
    ("nn.ModuleList(nn.ModuleList([{c}(), {c}()]) for _ in range({n}))", "nn.Sequential(*[b for a in self.{m} for b in a])({x})"),
    ("nn.ModuleList({c}() for _ in range({n}))", "nn.Sequential(*[b for a in zip(self.{m}, self.{m}[::-1]) for b in a])({x})"),
)
"""Modules that are called one after the other, and how."""
OPTIONAL = ("self.{m}(self.{m}({x}), {x})", "self.{m}(self.{m}({x}, {x} * 2))", "self.{m}({x}, {x}) + self.{m}({x} * 2)")
"""Calls of a module that takes another tensor or does not."""


class Written:
    """A class that is being written. `values` has the tensors by name, for each size of the batch."""

    def __init__(self, random: Random, shape: tuple[int, ...], name: str = "Net", depth: int = 0) -> None:
        self.random, self.name, self.depth = random, name, depth
        self.classes: list[str] = []
        self.initial: list[str] = []
        self.lines: list[str] = []
        self.values = {"x": [torch.randn(batch, *shape) for batch in BATCHES]}
        self.module = nn.Module()
        self.results: list[str] = []
        """Those that are returned, if they are others than the last."""
        self.is_optional = False
        """Whether `forward` may be given another tensor, which is added to the result."""

    def write(self, steps: int) -> None:
        for _ in range(10 * steps):
            if len(self.lines) >= steps:
                return
            self._step()

    def text(self) -> str:
        """The class, and those that it needs."""
        last = list(self.values)[-1]
        result = ", ".join(self.results or [f"{last} if y is None else {last} + y" if self.is_optional else last])
        begin = [f"class {self.name}(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        body = [
            *(f"        {line}" for line in self.initial),
            f"    def forward(self, x{', y=None' if self.is_optional else ''}):",
            *(f"        {line}" for line in self.lines),
        ]
        return "\n".join([*self.classes, *begin, *body, f"        return {result}", ""])

    def _step(self) -> None:
        x = self.random.choice([list(self.values)[-1], *self.values])
        shape = self.values[x][0].shape
        kind = self.random.randrange(10)
        if kind == 0 and len(shape) > 1:
            self._layer(self.random.choice(layers(shape, self.random.choice((1, 3, 6)))), x, CALLS)
        elif kind == 1 and len(shape) > 1 and self.depth < 2:
            self._class(x, tuple(shape[1:]))
        elif kind == 2 and len(shape) > 1:
            self._layer(self.random.choice(parameters(shape)), x, OWN)
        elif kind == 3 and self.initial:
            self._again(x)
        else:
            others = [name for name in self.values if name != x]  # of a tensor and itself, rounding errors would be all that there is
            texts = self.random.choice((ELEMENTWISE, ALONG, SHAPED, *([OF_TWO] if others else [])))
            y, axis = self.random.choice(others or [x]), self.random.choice((-2, -1, 0, 1, 2))
            self._assign(self.random.choice(texts).format(x=x, y=y, d=axis))

    def _class(self, x: str, shape: tuple[int, ...]) -> None:
        inner = Written(self.random, shape, f"{self.name}{len(self.classes)}", self.depth + 1)
        inner.write(self.random.randint(1, 3))
        inner.is_optional = self.random.random() < 0.3
        self.classes.append(inner.text())
        if inner.is_optional:
            self._layer(f"{inner.name}()", x, OPTIONAL)
            return
        uses = ("self.{m}({x})", "self.{m}({x}) + self.{m}({x} * 2)", "(self.{m}({x}), self.{m}({x} * 2))[1]")
        result = list(inner.values.values())[-1][0]
        if result.shape == inner.values["x"][0].shape and self.random.random() < 0.6:
            made, use = self.random.choice(IN_TURN)
            self._layer(made.format(c=inner.name, n=self.random.randint(2, 4)), x, (use,))
        else:
            self._layer(f"{inner.name}()", x, uses)

    def _again(self, x: str) -> None:
        """What was made before, once more: called, or read next to the call. A layer may get the weight of another."""
        name, other = (self.random.choice(self.initial).partition(" ")[0].removeprefix("self.").partition(".")[0] for _ in range(2))
        if self.random.random() < 0.2 and name != other:
            self._tie(name, other)
        self._assign(self.random.choice(OF_A_LAYER).format(m=name, x=x))

    def _tie(self, name: str, other: str) -> None:
        one, two = (getattr(getattr(self.module, layer), "weight", None) for layer in (name, other))
        if isinstance(one, nn.Parameter) and isinstance(two, nn.Parameter) and one is not two and one.shape == two.shape:
            getattr(self.module, name).weight = two
            self.initial.append(f"self.{name}.weight = self.{other}.weight")

    def _layer(self, made: str, x: str, uses: Sequence[str]) -> None:
        name = f"m{len(self.initial)}"
        if made.startswith("nn.Parameter") and not hasattr(self.module, "weight"):
            name = self.random.choice((name, "weight"))  # by which a norm that is written by hand is known
        try:
            layer = eval(made, self._names())
        except (TypeError, ValueError, RuntimeError):
            return
        setattr(self.module, name, layer)
        if self._assign(self.random.choice(uses).format(m=name, x=x)):
            self.initial.append(f"self.{name} = {made}")
        else:
            delattr(self.module, name)

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
        if random.random() < 0.2:
            written.results = random.sample(list(written.values), min(2, len(written.values)))
        names: dict[str, Any] = dict(NAMES)
        exec(written.text(), names)
        return written.text(), names["Net"]().eval(), torch.randn(2, *shape)


# --- ways to import ----------------------------------------------------------------------------------------------------------


def as_it_is(module: nn.Module, x: Tensor, stem: str) -> None:
    netc.from_torch(module, x)


def in_both_modes(module: nn.Module, x: Tensor, stem: str) -> None:
    netc.from_torch(module, x, train=True)


def with_two_sizes(module: nn.Module, x: Tensor, stem: str) -> None:
    """The second axis has a name too."""
    netc.from_torch(module, x, {0: {0: "N", 1: "T"}})


def by_onnx(module: nn.Module, x: Tensor, stem: str) -> None:
    """From the file that PyTorch writes of it, by TorchScript."""
    path = f"{stem}.onnx"
    try:
        with silent():
            torch.onnx.export(module, (x,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}})
        OnnxSession(path)  # PyTorch writes axes that are negative, and ONNX Runtime refuses those
    except Exception as error:  # it is PyTorch's
        raise NotWritten from error
    netc.from_onnx(path)


class NotWritten(Exception):
    """PyTorch cannot write the module as a file that runs."""


WAYS: tuple[Callable[[nn.Module, Tensor, str], None], ...] = (as_it_is, as_it_is, in_both_modes, with_two_sizes, by_onnx)


def check(random: Random, stem: str) -> Found:
    """Imports one."""
    warnings.simplefilter("ignore")
    text, module, x = made(random)
    way = random.choice(WAYS)
    try:
        way(module, x, stem)
    except ImportFailed:
        return Found("refused")
    except NotWritten:
        return Found("not written")
    except NotProved as error:
        inexact = INEXACT.search(str(error))
        if inexact and float(inexact[1]) > WORST:
            return Found("inexact")
        return Found("not proved", f"{way.__name__}: {error}\n{text}")
    except Exception as error:  # whatever it is, it is wrong
        return Found("raised", f"{way.__name__}: {type(error).__name__}: {error}\n{text}")
    return Found("proved")


if __name__ == "__main__":
    sys.exit(main(check, "modules"))
