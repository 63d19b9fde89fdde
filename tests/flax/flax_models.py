"""A model's Flax source, executed as a person would execute it, with the weights of its PyTorch module from a safetensors file."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from safetensors.torch import save_file

import netc
from tests.array_gradients import compute_gradients, flatten, regroup
from tests.differential.references.run import outputs
from tests.parity import SEED, TOLERANCES, arguments, inputs_for, sizes_of, tensor

jax.config.update("jax_default_matmul_precision", "highest")
jax.config.update("jax_enable_x64", True)  # the types of the results are compared too


class Pair:
    """The module of PyTorch and the one of Flax, with the same numbers."""

    def __init__(self, model: netc.Model, *, training: bool = False, noise: float = 0.0, scan_layers: bool = False) -> None:
        """`noise`: added to the parameters, of which some models have zeros that hide everything else."""
        self.model, self.text = model, model.source("flax", scan_layers=scan_layers)
        self.torch = model.module(seed=SEED).train(training)
        generator = torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            for parameter in self.torch.parameters():
                parameter += noise * torch.randn(parameter.shape, generator=generator)
        self.flax, self.space = execute(self.text)
        # A safetensors file has a tied weight once.
        by_place = {value.data_ptr() or name: (name, value.contiguous()) for name, value in reversed(self.torch.state_dict().items())}
        state = dict(by_place.values())
        if state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.safetensors")
                save_file(state, path)
                self.space["load"](self.flax, str(path))
        self.flax.train() if training else self.flax.eval()

    def compare(self, sizes: Mapping[str, int], tolerance: float | None = None) -> None:
        """Raises AssertionError unless both modules give what PyTorch gives when a person calls its functions."""
        arrays = inputs_for(self.model, sizes)
        fed = [tensor(arrays[name], type_) for name, type_ in self.model.inputs.items()]
        wanted = outputs(self.model.program, self.torch.state_dict(), fed, sizes)
        results = flatten(self.flax(*to_jax(arguments(self.model, fed))))
        assert len(results) == len(wanted)
        for (name, type_), left, right in zip(self.model.outputs.items(), wanted, results, strict=True):
            # With 64-bit types, JAX computes floats of integers in float64.
            types = {type_.dtype.name, "float64"} if type_.dtype.name == "float32" else {type_.dtype.name}
            assert (right.shape, str(right.dtype) in types) == (tuple(left.shape), True), name
            allowed = TOLERANCES.get(type_.dtype.name, 0.0) if tolerance is None else tolerance
            np.testing.assert_allclose(to_numpy(right), to_numpy(left), rtol=allowed, atol=allowed, err_msg=name)


def execute(text: str, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """The module of a source, and the names that it defines."""
    space: dict[str, Any] = {"__name__": "spec"}
    exec(compile(text, "spec.py", "exec", dont_inherit=True), space)
    main = [value for value in space.values() if isinstance(value, type) and value.__module__ == "spec"][-1]
    takes_rngs = "rngs" in inspect.signature(main.__init__).parameters
    return main(rngs=nnx.Rngs(seed)) if takes_rngs else main(), space


def agree(text: str) -> None:
    """A model agrees with PyTorch at two sets of sizes."""
    model = netc.compile(text)
    pair = Pair(model)
    for sizes in sizes_of(model):
        pair.compare(sizes)


def to_jax(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return jnp.asarray(value.float().numpy()).astype("bfloat16") if value.dtype == torch.bfloat16 else jnp.asarray(value.numpy())
    return tuple(map(to_jax, value))


def to_numpy(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().double().numpy() if value.is_floating_point() else value.numpy()
    array = np.asarray(value)
    return array.astype(np.float64) if jnp.issubdtype(value.dtype, jnp.floating) else array


def distance(left: torch.Tensor, right: Any) -> float:
    """The largest difference, as a part of the largest value."""
    a, b = to_numpy(left), to_numpy(right)
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30))


def gradients(pair: Pair, inputs: Sequence[torch.Tensor], loss: Callable[[Any], Any]) -> dict[str, float]:
    """The distance of each parameter's gradient from PyTorch's."""
    pair.torch.zero_grad()
    loss(pair.torch(*inputs)).backward()
    wanted = {name: p.grad for name, p in pair.torch.named_parameters() if p.grad is not None}
    if "stack_layers" in pair.space:
        stacked = pair.space["stack_layers"](pair.flax, {name: to_jax(grad) for name, grad in wanted.items()})
        wanted = {name: torch.from_numpy(np.array(grad)) for name, grad in stacked.items()}
    found = nnx.grad(lambda model: loss(model(*map(to_jax, inputs))))(pair.flax)
    by_name = {".".join(map(str, path)): value for path, value in nnx.to_flat_state(nnx.state(found))}
    assert by_name.keys() == wanted.keys()
    return {name: distance(wanted[name], by_name[name][...]) for name in wanted}


def input_gradients(text: str, values: Sequence[Any] = ()) -> list[tuple[Any, Any]]:
    """PyTorch's gradient and Flax's, of a weighted sum of the results, by each input that has one in PyTorch.
    `values`: of the inputs, in the place of random ones."""
    model = netc.compile(text)
    pair = Pair(model)
    fed, trained, weights, wanted = compute_gradients(model, pair.torch, text, values)
    constants = [to_jax(one) for one in fed]

    def compute(values: list[Any]) -> Any:
        given = list(constants)
        for index, value in zip(trained, values, strict=True):
            given[index] = value
        floats = [one for one in flatten(pair.flax(*regroup(model, fed, given))) if jnp.issubdtype(one.dtype, jnp.floating)]
        return sum((one * weight.numpy()).sum() for one, weight in zip(floats, weights, strict=True))

    return list(zip(wanted, jax.grad(compute)([constants[index] for index in trained]), strict=True)) if trained else []
