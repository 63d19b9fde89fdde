"""Choose the name and the language of an example program, and write it next to the model.

In: the path of an ONNX file that netc wrote with the weights of a run. Out: one file. Always: the name ends in `_example`, because
`flowers.py` may be the PyTorch source of `flowers.net`, and a file that exists is never replaced.

>>> find_example_path("models/flowers.onnx", "python")
'models/flowers_example.py'
"""

from __future__ import annotations

import os

from ...files.atomic_writing import write_bytes
from ..load_predictor import load
from .cpp_example import write_cpp
from .example_plan import Writer, make_plan
from .javascript_example import write_javascript
from .python_example import write_python

ENDINGS = {"python": ".py", "javascript": ".mjs", "c++": ".cpp"}
"""The ending of a program in each language."""
_WRITERS: dict[str, Writer] = {"python": write_python, "javascript": write_javascript, "c++": write_cpp}


def find_example_path(model: str, language: str) -> str:
    """Return the path of the example for a model."""
    return os.path.splitext(model)[0] + "_example" + ENDINGS[language]


def write_example(model: str, language: str) -> str:
    """Write the example for a model, and return its path. Raises `NoExample`."""
    path = find_example_path(model, language)
    plan = make_plan(load(model), os.path.basename(model))
    # the program contains the name of the model's file, which may not be UTF-8
    write_bytes(path, _WRITERS[language](plan).encode("utf-8", "surrogateescape"))
    return path
