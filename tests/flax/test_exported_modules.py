"""`jax.export` with a symbolic batch: one program for all batch sizes, and with it `nnx.split` and `nnx.merge`."""

from __future__ import annotations

from typing import Any

import pytest

import netc
from netc.compiler.ops import Operator
from tests.flax.test_flax_operators import REFUSED

pytest.importorskip("flax")

import jax
import numpy as np
from flax import nnx
from jax import export

from netc.compiler.ir.graph_values import Value
from tests.flax.flax_models import flatten
from tests.parity import inputs_for, sizes_of

FIXED = {"max_unpool": "JAX's put_along_axis refuses symbolic sizes"}
"""Operators whose examples cannot have a symbolic batch in JAX, with the reason."""
TEXT: dict[str, Any] = {"width": 32, "depth": 2, "heads": 4, "vocabulary": 50}
MODELS: list[tuple[str, str, dict[str, Any], dict[str, int]]] = [
    ("specs/text/llama.net", "network", TEXT | {"shared_heads": 2, "hidden": 64}, {}),
    ("specs/text/bert.net", "network", TEXT, {}),
    ("specs/text/gpt2.net", "network", TEXT, {}),
    ("specs/vision/vit.net", "network", {"width": 32, "depth": 2, "heads": 4, "patch": 16, "size": 32}, {}),
    ("specs/vision/convnext.net", "convnext_tiny", {}, {"H": 32, "W": 32}),
    ("specs/vision/resnet.net", "resnet18", {}, {}),
]


class ExportedModel:
    """A module in evaluation mode as one exported program. `symbols` are the dimensions that stay symbolic."""

    def __init__(self, model: netc.Model, symbols: tuple[str, ...], **options: Any) -> None:
        self.model, self.module = model, model.flax(seed=0, **options)
        self.module.eval()
        graph, state = nnx.split(self.module)
        # A file of `jax.export` has only plain lists and dictionaries.
        self.leaves, structure = jax.tree.flatten(state)
        groups = model.program.main.grouped_inputs

        def call(leaves: list[jax.Array], *arrays: jax.Array) -> Any:
            left = iter(arrays)
            grouped = [next(left) if isinstance(one, Value) else tuple(next(left) for _ in one.values) for one in groups]
            return nnx.merge(graph, jax.tree.unflatten(structure, leaves))(*grouped)

        self.call = jax.jit(call)
        scope = export.SymbolicScope()
        self.known = {name: export.symbolic_shape(name, scope=scope)[0] for name in symbols}

    def compare(self, sizes: list[dict[str, int]]) -> None:
        """Raises AssertionError unless the program, exported once, gives the module's results for all sizes."""
        leaves = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in self.leaves]
        exported = export.export(self.call)(leaves, *self._list_shapes(sizes[0]))
        read = export.deserialize(exported.serialize())
        for one in sizes:
            arrays = [jax.numpy.asarray(array) for array in inputs_for(self.model, one).values()]
            pairs = zip(flatten(self.call(self.leaves, *arrays)), flatten(read.call(self.leaves, *arrays)), strict=True)
            for wanted, found in pairs:
                assert found.shape == wanted.shape
                np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-5, atol=1e-6)

    def _list_shapes(self, sizes: dict[str, int]) -> list[jax.ShapeDtypeStruct]:
        arrays = inputs_for(self.model, sizes)
        return [
            jax.ShapeDtypeStruct(
                tuple(self.known.get(str(dim), size) for dim, size in zip(type_.shape, arrays[name].shape, strict=True)),
                jax.numpy.asarray(arrays[name]).dtype,
            )
            for name, type_ in self.model.inputs.items()
        ]


def list_sizes(model: netc.Model) -> list[dict[str, int]]:
    """The sizes of an example with two sizes of the batch."""
    return [{**sizes_of(model)[0], "N": count} for count in (1, 3)]


@pytest.mark.share(2)
@pytest.mark.thorough(32)
@pytest.mark.parametrize(
    "name", sorted(name for name, cls in Operator.registry.items() if cls.examples and name not in {**REFUSED, **FIXED})
)
def test_an_example_with_a_symbolic_batch(name: str) -> None:
    model = netc.compile(Operator.registry[name].examples[0])
    exported = ExportedModel(model, ("N",))
    if any(str(size) == "N" for type_ in model.inputs.values() for size in type_.shape):
        exported.compare(list_sizes(model))


@pytest.mark.long
@pytest.mark.thorough(6)
@pytest.mark.parametrize(
    ("path", "name", "params", "dims"),
    [pytest.param(*model, id=model[0]) for model in MODELS],
)
def test_a_model_with_a_symbolic_batch(path: str, name: str, params: dict[str, Any], dims: dict[str, int]) -> None:
    model = netc.compile_file(path, model=name, params=params, dims=dims)
    ExportedModel(model, ("N",)).compare(list_sizes(model))


@pytest.mark.long
@pytest.mark.thorough(3)
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("x = input [T, 4]; x -> lstm 5 -> dense 2", {}),
        ("x = input [T, 8]; x -> multihead_attention 2 causal=true", {}),
        ("x = input [T]; (y, at) = x -> cummax axis=1; out y, at", {}),
        ("block layer { in + (in -> layer_norm -> dense 4) }; input [T, 4] -> repeat 3 as layers { layer }", {"scan_layers": True}),
    ],
)
def test_a_symbolic_length(text: str, options: dict[str, Any]) -> None:
    model = netc.compile(text)
    ExportedModel(model, ("N", "T"), **options).compare([{"N": 2, "T": 3}, {"N": 1, "T": 7}])


@pytest.mark.parametrize("name", FIXED)
def test_what_needs_a_fixed_batch(name: str) -> None:
    """A later version of JAX may do it: then the operator leaves the list."""
    model = netc.compile(Operator.registry[name].examples[0])
    with pytest.raises(TypeError, match="_DimExpr"):
        ExportedModel(model, ("N",)).compare(list_sizes(model))
