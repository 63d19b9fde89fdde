"""netc: a declarative language for neural networks, and its compiler to PyTorch and ONNX.

    import netc

    model = netc.compile("input 3 -> dense 2 sigmoid -> dense 1 sigmoid")
    model.inputs, model.outputs, model.parameters
    model.module()              # a torch.nn.Module
    model.save("tiny.onnx")
    netc.train("digits.net", data="digits.npz", output="run")
    netc.load("run")("new.npz")   # predictions

Importing netc is fast: PyTorch, NumPy and ONNX are imported only by the methods that need them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .version import __version__

__all__ = [
    "Checkpoint",
    "CompileError",
    "LiveCurve",
    "Model",
    "__version__",
    "compile",
    "compile_file",
    "from_onnx",
    "from_torch",
    "load",
    "train",
    "zoo",
]

if TYPE_CHECKING:
    from .api import compile, compile_file, train, zoo
    from .display.live_curve import LiveCurve
    from .errors import CompileError
    from .importing.import_api import from_onnx, from_torch
    from .inputs.checkpoint import Checkpoint
    from .model import Model
    from .prediction.load_predictor import load

if not os.path.isdir(os.path.join(__path__[0], "dsl")):
    # a checkout without symbolic links, as on Windows: dsl/ and compiler/ are next to netc/, while an installed netc has them inside
    __path__.append(os.path.dirname(__path__[0]))

# the modules of the public names, which `__getattr__` imports (PEP 562)
_HOMES = {"compile": "api", "compile_file": "api", "train": "api", "zoo": "api", "CompileError": "errors", "Model": "model"}
_HOMES |= {"Checkpoint": "inputs.checkpoint", "from_onnx": "importing.import_api", "from_torch": "importing.import_api"}
_HOMES |= {"load": "prediction.load_predictor"}
_HOMES |= {"load_ipython_extension": "display.notebook", "LiveCurve": "display.live_curve"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{home}", __name__), name)
    # Python calls this function for absent names only, so the next access is a plain one
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    # the names that were not imported yet too, for completion
    return sorted({*globals(), *__all__})
