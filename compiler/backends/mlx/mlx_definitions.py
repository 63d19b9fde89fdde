"""Reads the definitions that files of MLX may contain: its own, and the shared ones in its form.

A module of MLX calls the constructor of its base, and its parameters are plain arrays, which an array of zeros, and MLX's random numbers,
make:

    >>> print(adapt_module("class Scale(nn.Module):\\n    def __init__(self) -> None:\\n        self.weight = Param(mx.ones(3))"))
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = mx.ones(3)
"""

from __future__ import annotations

import re
from pathlib import Path

from ..python.library_text import merge_definitions

_FAMILIES = "variables linear convolution normalization attention rotary pooling indexing losses resampling spectra deformation"
_WORDS = {
    "xp": "mx",
    "np": "mx",
    "np.indices": "indices",
    "xp.linalg.vector_norm": "vector_norm",
    "xp.mean": "mean",
    "ops.segment_max": "segment_max",
    "ops.segment_sum": "segment_sum",
    "fn": "nn",
    "fn.log_softmax": "log_softmax",
    "fn.softmax": "softmax",
    "Array": "mx.array",
    "Bool": "mx.bool_",
    "DType": "mx.Dtype",
    "Int": "mx.int64",
    "Module": "nn.Module",
    "uniform_between": "nn.init.uniform",
}
"""MLX's words for the words of the shared definitions."""
_RULES = (
    (r"(def __init__\([^()]*(?:\([^()]*\)[^()]*)*\) -> None:\n)", r"\1        super().__init__()\n"),
    (r" {8}\*,\n {8}rngs: Rngs,\n|, rngs=rngs", ""),  # MLX's random numbers have a global state
    (r" {8}\w+_init: Callable.*\n", ""),  # and its initializers are applied to a module
    (r"\(\w+_init or init\)", "init"),
    (r"= weight_init or ", "= "),
    (r"(\w+)\.at\[padding_idx\]\.set\((.+)\)", r"set_row(\1, padding_idx, \2)"),
    (r"rngs\.params\(\), (.+?), dtype\)", r"mx.zeros(\1, dtype))"),
    (r"initializers\.xavier_uniform\([^()]*\)", 'variance_scaling(1.0, "fan_avg", "uniform")'),
    (r"initializers\.normal\(", "nn.init.normal(0.0, "),
    (r"\bLinear\((.+), dtype, bias_init=initializers\.zeros\)", r"cast(nn.Linear(\1), dtype)"),
    (r"self\.(\w+) = Buffer\((.+)\)\n", r'register_buffer(self, "\1", \2)\n'),
    (r"promote_types\((\w+)\.dtype, ", r"result_type(\1, "),
    (r"(?<=[\w)])\[\.\.\.\]", ""),
    # with parentheses in up to three levels
    (r"\bParam\(((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*)\)", r"\1"),
)
"""Patterns in shared definitions, in MLX's words, and their form in MLX."""


def adapt_module(text: str) -> str:
    """Write a shared definition in the form of MLX."""
    for pattern, form in _RULES:
        text = re.sub(pattern, form, text)
    return text


DEFINITIONS = merge_definitions(_FAMILIES.split(), _WORDS, Path(__file__).parent / "library", adapt_module)
"""The definitions that emitted files may contain, by name, in the order in which a file has them."""
