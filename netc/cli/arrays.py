"""Arrays for `netc run`: the path of a `.npy` file comes in, an array goes out, or a `Failed` that says what is wrong."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from netc.compiler.elements import Array

from ..files import reason
from .failures import Failed


def load_array(path: str) -> Array:
    """The array in a file. Nothing in it is executed."""
    try:
        loaded: Any = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise Failed(f"cannot read `{path}`: there is no such file") from None
    except OSError as error:
        raise Failed(f"cannot read `{path}`: {reason(error)}") from None
    except (ValueError, EOFError, SyntaxError, TypeError):
        raise Failed(f"cannot read `{path}`: it is not a .npy file of numbers") from None
    if not isinstance(loaded, np.ndarray):
        loaded.close()
        raise Failed(f"cannot read `{path}`: it holds several arrays", f"save one of them: `numpy.save(\"{os.path.splitext(path)[0]}.npy\", array)`")
    return loaded
