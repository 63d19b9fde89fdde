"""A model's MLX source, executed as a person would execute it, with the weights of its PyTorch module from a safetensors file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import torch
from safetensors.torch import save_file

import netc
from netc.compiler.backends.mlx.live_mlx import to_mlx, to_numpy
from tests.array_gradients import compute_gradients, flatten, regroup
from tests.differential.references.run import outputs
from tests.parity import SEED, TOLERANCES, arguments, inputs_for, sizes_of, tensor


class Pair:
    """The module of PyTorch and the one of MLX, with the same numbers."""

    def __init__(self, model: netc.Model, *, training: bool = False, noise: float = 0.0) -> None:
        """`noise`: added to the parameters, of which some models have zeros that hide everything else."""
        self.model, self.text = model, model.source("mlx")
        self.torch = model.module(seed=SEED).train(training)
        generator = torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            for parameter in self.torch.parameters():
                parameter += noise * torch.randn(parameter.shape, generator=generator)
        self.mlx, self.space = execute(self.text)
        # A safetensors file has a tied weight once.
        by_place = {value.data_ptr() or name: (name, value.contiguous()) for name, value in reversed(self.torch.state_dict().items())}
        state = dict(by_place.values())
        # MLX reads no float64 from a file.
        if any(value.dtype == torch.float64 for value in state.values()):
            for name, (module, key) in self.space["list_tensors"](self.mlx).items():
                module[key] = convert(self.torch.state_dict()[name])
        elif state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.safetensors")
                save_file(state, path)
                self.space["load"](self.mlx, str(path))
                mx.eval(self.mlx.parameters())  # MLX reads a file when it needs the numbers
        self.mlx.train(training)

    def compare(self, sizes: Mapping[str, int]) -> None:
        """Raises AssertionError unless both modules give what PyTorch gives when a person calls its functions."""
        arrays = inputs_for(self.model, sizes)
        fed = [tensor(arrays[name], type_) for name, type_ in self.model.inputs.items()]
        wanted = outputs(self.model.program, self.torch.state_dict(), fed, sizes)
        results = flatten(self.mlx(*convert(arguments(self.model, fed))))
        assert len(results) == len(wanted)
        for (name, type_), left, right in zip(self.model.outputs.items(), wanted, results, strict=True):
            assert (right.shape, str(right.dtype).removeprefix("mlx.core.")) == (tuple(left.shape), type_.dtype.name), name
            # Kernels of MLX for 16-bit floats round in between, and it computes in float32 what PyTorch computes in float64.
            allowed = max(TOLERANCES.get(type_.dtype.name, 0.0), 1e-5 if type_.dtype.name == "float64" else 0.0)
            np.testing.assert_allclose(read(right), read(left), rtol=allowed, atol=allowed, err_msg=name)


def execute(text: str, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """The module of a source, and the names that it defines."""
    space: dict[str, Any] = {"__name__": "spec"}
    exec(compile(text, "spec.py", "exec", dont_inherit=True), space)
    main = [value for value in space.values() if isinstance(value, type) and value.__module__ == "spec"][-1]
    mx.random.seed(seed)
    return main(), space


def agree(text: str) -> None:
    """A model agrees with PyTorch at two sets of sizes."""
    model = netc.compile(text)
    pair = Pair(model)
    for sizes in sizes_of(model):
        pair.compare(sizes)


def convert(value: Any) -> Any:
    """Tensors of PyTorch as arrays of MLX."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return to_mlx(value.float().numpy()).astype(mx.bfloat16) if value.dtype == torch.bfloat16 else to_mlx(value.numpy())
    return tuple(map(convert, value))


def read(value: Any) -> np.ndarray:
    """A tensor of PyTorch or of MLX as an array, with floats in float64."""
    if isinstance(value, torch.Tensor):
        return value.detach().double().numpy() if value.is_floating_point() else value.numpy()
    array = to_numpy(value)
    return array.astype(np.float64) if mx.issubdtype(value.dtype, mx.floating) else array


def distance(left: torch.Tensor, right: Any) -> float:
    """The largest difference, as a part of the largest value."""
    a, b = read(left), read(right)
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30))


def input_gradients(text: str, values: Sequence[Any] = ()) -> list[tuple[Any, Any]]:
    """PyTorch's gradient and MLX's, of a weighted sum of the results, by each input that has one in PyTorch.
    `values`: of the inputs, in the place of random ones."""
    model = netc.compile(text)
    pair = Pair(model)
    fed, trained, weights, wanted = compute_gradients(model, pair.torch, text, values)
    constants = [convert(one) for one in fed]

    def compute(values: list[Any]) -> Any:
        given = list(constants)
        for index, value in zip(trained, values, strict=True):
            given[index] = value
        floats = [one for one in flatten(pair.mlx(*regroup(model, fed, given))) if mx.issubdtype(one.dtype, mx.floating)]
        return sum((one * convert(weight.float())).sum() for one, weight in zip(floats, weights, strict=True))

    return list(zip(wanted, mx.grad(compute)([constants[index] for index in trained]), strict=True)) if trained else []
