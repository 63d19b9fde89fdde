"""Makes PyTorch modules with given parameters.

In: a program, and arrays by state-dict name. Out: the module of its source, executed, with these values.

    >>> import numpy as np
    >>> to_tensor(np.array([1.0, 2.0], dtype=np.float16))
    tensor([1., 2.], dtype=torch.float16)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import init
from torch.overrides import TorchFunctionMode

from ....types.numpy_types import Array
from ..torch_source import choose_class_name, write_source
from .live_module import make_live_module

if TYPE_CHECKING:
    from ....ir.graph import Program


def make_fresh_module(program: Program, name: str) -> torch.nn.Module:
    """Make the module with parameters that PyTorch's generator draws."""
    return make_live_module(write_source(program, name), choose_class_name(program, name), name, program)


def make_filled_module(program: Program, name: str, arrays: Mapping[str, Array]) -> torch.nn.Module:
    """Make the module with the arrays, which have the shapes and types of its parameters. PyTorch's generator keeps its state."""
    text = write_source(program, name)
    with torch.random.fork_rng(devices=[]), _Uninitialized(redrawing="nn.init.trunc_normal_" in text):
        module = make_live_module(text, choose_class_name(program, name), name, program)
    for name, target in module.state_dict().items():  # one by one, so that nothing is in memory three times
        target.copy_(to_tensor(arrays[name]))
    return module


class _Uninitialized(TorchFunctionMode):
    """Leaves new parameters uninitialized: drawing them takes longer than loading the values that replace them. A parameter that another
    function draws only costs that time. `redrawing`: some parameters are drawn until they are within bounds, so methods of tensors must
    draw."""

    def __init__(self, redrawing: bool) -> None:
        super().__init__()
        self._draws = {init.uniform_, init.normal_, init.kaiming_uniform_}
        if not redrawing:
            self._draws |= {torch.Tensor.uniform_, torch.Tensor.normal_}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self._draws:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def to_tensor(array: Array) -> torch.Tensor:
    """Convert an array to a tensor of the same type, which may share its memory."""
    # PyTorch warns of arrays that are not writable, as mapped ones are, and has no negative strides.
    array = np.require(array, requirements=["C", "W"])
    if array.dtype.name == "bfloat16":  # which NumPy and PyTorch know by different names
        return from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return from_numpy(array)


def from_numpy(array: Any) -> torch.Tensor:
    """Call `torch.from_numpy`, also for arrays without axes."""
    tensor: torch.Tensor = torch.from_numpy(array)
    return tensor
