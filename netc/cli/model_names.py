"""The names of models in servers, where they are a part of URLs and the names of folders.

>>> choose_model_name("moons-2"), choose_model_name("my moons")
('moons-2', 'model')
"""

from __future__ import annotations

import re

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def choose_model_name(wish: str) -> str:
    """Return the wish if it is a name for a model, and otherwise `model`."""
    return wish if MODEL_NAME.fullmatch(wish) else "model"
