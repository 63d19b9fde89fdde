"""Names of tensors in an imported text: the variables and arguments of the module's Python source."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import netc
from netc.compiler.frontends.torch.python_assignments import parse_frames


def text(module: nn.Module, *inputs: Tensor) -> str:
    return netc.from_torch(module.eval(), inputs, verify=False).spec()


def names(spec: str) -> list[str]:
    """The names that statements bind, in order."""
    found = re.findall(r"^\s*(?:(\w+)|\(([\w, ]+)\)) = (?!input)", spec, re.MULTILINE)
    return [name for one, several in found for name in (one or several).split(", ")]


def heads(t: Tensor, n: int) -> Tensor:
    return t.unflatten(-1, (n, -1)).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, width: int = 16, n: int = 4) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.to_qkv(x).chunk(3, -1)
        q, k, v = (heads(t, self.n) for t in qkv)
        weights = (
            (q @ k.transpose(-1, -2)).tanh()  # no softmax, so that it stays written out
            * 0.5
        )
        gate = weights.mean(-1, keepdim=True)
        mixed = (weights * gate) @ v
        return self.proj(mixed.transpose(1, 2).flatten(2) + x)


def test_variables() -> None:
    found = names(text(Attention(), torch.randn(2, 5, 16)))
    assert found[:3] == ["q", "k", "v"]
    assert "weights" in found
    assert not [name for name in found if re.fullmatch(r"h\d*|matmul|chunk\d*", name)]


class Crossed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, image: Tensor, caption: Tensor) -> Tensor:
        caption = self.b(caption)
        return self.a(image) * caption + caption


class Crossing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cross = Crossed()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.cross(self.fc(x), x.exp())


def test_arguments() -> None:
    spec = text(Crossing(), torch.randn(2, 8))
    assert "caption: [...]" in spec
    assert "image: [...]" in spec
    assert "(image -> dense 8 as a)" in spec


class Stages(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = x + x.sin()
        x = self.second(x)
        x = x * x.cos()
        gate = self.third(x)
        return gate * x + gate


def test_a_variable_that_is_assigned_again_says_less_than_a_label() -> None:
    assert names(text(Stages(), torch.randn(2, 8))) == ["first", "second", "x2", "gate"]


class Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, input: Tensor) -> Tensor:
        table = input.sin() * 2
        scan = table.exp() + table
        Größe = scan.sin() - scan  # noqa: N806
        return self.fc(Größe * Größe.cos())


def test_words_of_the_language_are_no_names() -> None:
    spec = text(Keywords(), torch.randn(2, 8))
    assert not {"table", "scan", "größe"} & set(names(spec))
    assert netc.compile(spec)


class Reductions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        sum, inf = self.fc(x), x.exp()
        hidden = inf.masked_fill(x > 0, float("-inf")).softmax(-1)
        return x.scatter_reduce(1, index, sum, "sum") * sum + hidden * inf


def test_words_of_arguments_are_names_of_tensors() -> None:
    """The word `sum` is an argument of `scatter_reduce`, and `inf` a number. The import compares the results."""
    spec = netc.from_torch(Reductions(), (torch.randn(2, 8), torch.randint(8, (2, 8)))).spec()
    assert "sum" in names(spec)
    assert "scatter_reduce 1 reduce=sum" in spec


SOURCE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
    def forward(self, x):
        angle = x.sin() * 3
        return self.fc(angle * angle.cos())
"""


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("more", ["", "x = ("])
def test_a_file_that_is_no_python_any_more(tmp_path: Path, more: str) -> None:
    """Then the line that was run is all there is."""
    file = tmp_path / f"model_of_{len(more)}.py"
    file.write_text(SOURCE)
    module = load(file).Net()
    file.write_text(SOURCE + more)
    assert names(text(module, torch.randn(2, 8))) == ["angle"]


TRACE = 'File "/dev/zero", line 3, in forward\n    q, k = self.qk(x).chunk(2)\n  File "/nowhere", line 4, in forward\n    return f(\n'


def test_a_trace_of_a_file_is_not_followed() -> None:
    """What a `.pt2` file says is quoted; the files that it names are not opened, or this would not end."""
    outer, inner = parse_frames(TRACE, read=False)
    assert outer.statement.targets == ("q", "k")
    assert inner.statement.targets == ()


def test_the_number_of_an_iteration_hides_no_variable() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Linear(4, 4)
            self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            (w, i) = self.gate(x).topk(2)
            y = torch.zeros_like(x)
            for number, expert in enumerate(self.experts):
                y = y + expert(x) * (w * (i == number)).sum(-1, keepdim=True)
            return y

    spec = netc.from_torch(Experts(), torch.randn(3, 4)).spec()  # which compares
    assert "(w, i) = " in spec
    assert "repeat j in 0..4" in spec
