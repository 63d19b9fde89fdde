"""Choose the name and the language of an example program, and write it next to the model.

In: the path of an ONNX file that netc wrote with the weights of a run. Out: a program, and in JavaScript a page too. Always: the name
ends in `_example`, because `flowers.py` may be the PyTorch source of `flowers.net`, and a file that exists is never replaced.

>>> find_example_paths("models/flowers.onnx", "javascript")
['models/flowers_example.mjs', 'models/flowers_example.html']
"""

from __future__ import annotations

import os

from ...files.atomic_writing import write_bytes
from ..load_predictor import load
from .cpp_example import write_cpp
from .example_plan import NoExample, Writer, make_plan
from .javascript_example import write_javascript
from .javascript_page import write_page
from .python_example import write_python

_WRITERS: dict[str, dict[str, Writer]] = {
    "python": {".py": write_python},
    "javascript": {".mjs": write_javascript, ".html": write_page},
    "c++": {".cpp": write_cpp},
}
"""The writers of each language, by the ending of the file. A language may have several files for a model: a program and a page."""


def find_example_paths(model: str, language: str) -> list[str]:
    """Return the paths of the examples for a model."""
    return [os.path.splitext(model)[0] + "_example" + ending for ending in _WRITERS[language]]


def write_example(model: str, language: str) -> list[str]:
    """Write the examples for a model, and return their paths. Raises `NoExample` if there is none."""
    plan = make_plan(load(model), os.path.basename(model))
    texts: dict[str, str] = {}
    refusals: list[NoExample] = []
    for path, writer in zip(find_example_paths(model, language), _WRITERS[language].values(), strict=True):
        try:
            texts[path] = writer(plan)
        except NoExample as refusal:
            refusals.append(refusal)
    if not texts:
        raise refusals[0]
    for path, text in texts.items():
        # the program contains the name of the model's file, which may not be UTF-8
        write_bytes(path, text.encode("utf-8", "surrogateescape"))
    return list(texts)
