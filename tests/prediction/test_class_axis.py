"""The axis of the classes in each output, through random layouts, compared with the labels that PyTorch's module gives.

The judge: of random numbers, the classes with the greatest score in the loss's argument must be the ones along the axis that the signature
names, at the same positions. A layout without such an axis must have no meaning.
"""

from __future__ import annotations

from math import prod
from random import Random
from typing import NamedTuple

import numpy as np
import torch

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.prediction.model_signature import SCORED, OutputSignature
from netc.prediction.output_tasks import find_output_tasks

CASES = 30


def draw_step(shape: list[int], random: Random) -> tuple[str, list[int]]:
    """A stage that changes the layout of `[N, *shape]`, and the new shape."""
    match random.randrange(4):
        case 0:
            order = random.sample(range(len(shape)), len(shape))
            return f"permute [0, {', '.join(str(i + 1) for i in order)}]", [shape[i] for i in order]
        case 1 if len(shape) > 1:
            at = random.randrange(len(shape) - 1)
            return write_reshape([*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]])
        case 2:
            at = random.randrange(len(shape))
            factor = random.choice([n for n in range(1, shape[at] + 1) if shape[at] % n == 0])
            return write_reshape([*shape[:at], factor, shape[at] // factor, *shape[at + 1 :]])
    return write_reshape(shape)


def write_reshape(shape: list[int]) -> tuple[str, list[int]]:
    return f"reshape [N, {', '.join(map(str, shape))}]", shape


def draw_chain(shape: list[int], random: Random) -> tuple[str, list[int]]:
    words = ""
    for _ in range(random.randrange(4)):
        step, shape = draw_step(shape, random)
        words += f" -> {step}"
    return words, shape


def find_outputs(text: str) -> list[OutputSignature]:
    analysis = analyze_training(SourceFile("a.net", text), Choice(), None, None)
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    return list(find_output_tasks(analysis.training))


def argmax(array: np.ndarray, axis: int) -> list[int]:
    return array.argmax(axis=axis).reshape(-1).tolist()


class Case(NamedTuple):
    """The parts of a file: its input, the model's other lines, and the argument and the target of the loss."""

    shape: list[int]
    model: str
    argument: str
    target: str
    target_shape: list[int]

    @property
    def text(self) -> str:
        loss = f"(({self.argument}), ({self.target})) -> cross_entropy"
        target = f"kind = input {self.target_shape} int64"
        return f"x = input {self.shape}\n{self.model}\nout first, second\ntrain {{\n  {target}\n  loss = {loss}\n  steps 1\n}}\n"

    def compute(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The outputs of the model for random numbers, and the argument of the loss."""
        x = np.random.default_rng(seed).normal(size=(3, *self.shape)).astype(np.float32)
        with torch.no_grad():
            first, second = netc.compile(self.text).module(seed=0)(torch.tensor(x))
            argument = netc.compile(f"first = input {self.shape}\nout {self.argument}\n").module()(first)
        return first.numpy(), second.numpy(), argument.numpy()


def draw_case(random: Random) -> Case:
    shape = [random.choice((2, 3, 4, 6)) for _ in range(random.choice((1, 2, 3)))]
    (loss_chain, argument), (chain, second) = draw_chain(shape, random), draw_chain(shape, random)
    model = f"first = x -> dense {shape[-1]}\nsecond = first{chain} -> softmax axis={random.randrange(len(second)) + 1}"
    if len(argument) > 1 and random.random() < 0.4:  # every position is a sample of its own
        samples = prod(argument[:-1])
        merged = f"first{loss_chain} -> reshape [N * {samples}, {argument[-1]}]"
        return Case(shape, model, merged, f"kind -> reshape [N * {samples}]", argument[:-1])
    return Case(shape, model, f"first{loss_chain}", "kind", argument[1:])


def test_random_layouts() -> None:
    claimed = {"first": 0, "second": 0}
    for number in range(CASES):
        case = draw_case(Random(f"class axis {number}"))
        first, second, argument = case.compute(number)
        for output in find_outputs(case.text):
            if output.task in SCORED:
                claimed[output.name] += 1
                assert argmax(first if output.name == "first" else second, output.axis) == argmax(argument, 1), case.text
    assert claimed["first"] > CASES // 4
    assert claimed["second"] > CASES // 20
