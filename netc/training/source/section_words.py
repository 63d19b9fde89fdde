"""The words of a framework in a training file: its tensors and modules, and the writer of its source.

>>> TORCH_WORDS.convert('arrays["x"]', "float32")
'torch.from_numpy(arrays["x"]).to(torch.float32)'
"""

from __future__ import annotations

from collections.abc import Callable

from netc.compiler.backends.python.python_source import SourceWriter
from netc.compiler.backends.torch.torch_source import WRITER
from netc.dsl.record import Record


class SectionWords(Record):
    """`tensor`, `samples` (the numbers of samples) and `module` are types; `instance` completes the call that makes a module of a
    section; `convert` turns the text of a NumPy array into a tensor of an element type, and `wrap` into a tensor of its own type;
    `make_scalar` makes a tensor without axes from the text of a number and an element type; `cast` converts a tensor to an element type;
    `zeros` is the function that makes zeros of the shape of a tensor. `divides_passes`: a step of one of several losses calls a function
    for what this loss needs. XLA leaves out the rest by itself. `gradient` is the function
    that returns the gradient of a function. It is empty for a framework that differentiates tensors."""

    writer: SourceWriter
    tensor: str
    samples: str
    module: str
    instance: str
    convert: Callable[[str, str], str]
    wrap: Callable[[str], str]
    make_scalar: Callable[[str, str], str]
    cast: Callable[[str, str], str]
    zeros: str
    divides_passes: bool = False
    gradient: str = ""

    @property
    def gradient_module(self) -> str:
        """The module of the function for gradients, which no variable of `compute_totals` may hide. Empty without one."""
        return self.gradient.partition(".")[0]


TORCH_WORDS = SectionWords(
    WRITER,
    "Tensor",
    "Tensor",
    "nn.Module",
    "{}.to(DEVICE)",
    lambda array, dtype: f"torch.from_numpy({array}).to(torch.{dtype})",
    lambda array: f"torch.from_numpy({array})",
    lambda number, dtype: f"torch.tensor({number}, dtype=torch.{dtype}, device=DEVICE)",
    lambda tensor, dtype: f"{tensor}.to(torch.{dtype})",
    "torch.zeros_like",
    divides_passes=True,
)
