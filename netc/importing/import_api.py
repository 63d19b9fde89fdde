"""Defines the imports of the Python API: `netc.from_torch` and `netc.from_onnx`.

In: a module with example inputs, or the path of an ONNX file. Out: a `Model`, whose `spec()` is the text. Raises `ImportFailed` for parts
without a counterpart, and `NotProved` if the imported model does not agree with the original.

    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    >>> from_torch(module, torch.zeros(2, 3)).outputs
    {'output': TensorType([N, 4])}
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..inputs.argument_checks import check_path, check_seed
from ..inputs.argument_types import check_arguments
from .onnx_origin import make_onnx_origin
from .run_import import import_spec

if TYPE_CHECKING:
    import torch

    from ..model import Model

Axes = Mapping[int, str] | Sequence[str | None]


@check_arguments
def from_torch(
    module: torch.nn.Module,
    inputs: Any,
    dims: Mapping[str | int, Axes] | None = None,
    *,
    where: str = "",
    train: bool = False,
    verify: bool = True,
    seed: int = 0,
) -> Model:
    """Import a PyTorch module as a model, in evaluation mode, and with `train` in training mode too.

    `inputs` are example arguments: a tensor, a tuple by position, a mapping by name, or a pair of both. Values that are not tensors are
    fixed. `dims` names symbolic axes by the name or position of an argument: `{0: {0: "N", 2: "H"}}`, `{"tokens": ["N", "T"]}`. Axis 0 of
    any other argument is the batch, `N`. `where` has conditions on these sizes: `"T >= 2, T <= 64"`. netc compares the model with the
    module on inputs drawn with `seed`, unless `verify` is false. The model has the weights of the module, and their keys.

    Raises `ImportFailed`, which lists everything that cannot be imported, and `NotProved`; `WrongInput`, a ValueError, for conditions that
    are none.
    """
    from netc.compiler.frontends.torch.call_arguments import split_arguments

    from .input_declarations import parse_conditions
    from .module_origin import make_module_origin

    positional, named = split_arguments(inputs)
    stated = parse_conditions(where, dims or {})
    origin = make_module_origin(module, positional, named, dims, type(module).__name__, train=train, stated=stated)
    return import_spec(origin, verify=verify, seed=check_seed(seed)).model


@check_arguments
def from_onnx(
    path: str | os.PathLike[str],
    *,
    fixed: Mapping[str, object] | None = None,
    dequantize: bool = False,
    outputs: Sequence[str] = (),
    verify: bool = True,
    seed: int = 0,
) -> Model:
    """Import an ONNX file as a model, with its weights.

    `fixed` has values for inputs, which are no inputs of the model then, and sizes for symbolic axes, by the file's names. With
    `dequantize`, weights that are stored as integers become the floats that they represent. `outputs` are names of tensors of the file,
    which become the outputs instead of the file's own.

    netc compares the model with the file in ONNX Runtime, unless `verify` is false.

    Raises `ImportFailed`, which lists everything that cannot be imported, and `NotProved`.
    """
    origin = make_onnx_origin(check_path(path), fixed or {}, dequantize=dequantize, outputs=tuple(outputs))
    return import_spec(origin, verify=verify, seed=check_seed(seed)).model
