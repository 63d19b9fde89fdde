"""Adds parameters and buffers of the model as initializers, under their state-dict names.

In: arrays by state-dict name, and full names that emitters ask for. Out: entries of the builder. Always: a tied parameter is the
initializer of its target. A parameter that no emitter asks for is left out.

    >>> import netc
    >>> text = "x = input [] int64; x -> embedding 10 4 as wte -> dense 10 tie=wte bias=false as head"
    >>> [tensor.name for tensor in netc.compile(text).onnx().graph.initializer]
    ['wte.weight']
"""

from __future__ import annotations

from collections.abc import Mapping

from ...analysis.state_dict import ParameterInfo
from ...types.numpy_types import Array, numpy_dtype
from ...weights.initial import constant_values
from ...weights.lazy_tensors import StoredTensor
from .onnx_builder import GraphBuilder


class Initializers:
    """Looks parameters up, each once."""

    def __init__(self, builder: GraphBuilder, arrays: Mapping[str, Array], infos: Mapping[str, ParameterInfo]) -> None:
        self.builder = builder
        self.arrays = arrays
        self.infos = infos
        self.names = {name: builder.value_names.make_unique(name) for name in infos}
        """The names of the initializers: their own, unless an input of the model has the same name."""

    def add_initializer(self, name: str) -> str:
        """Add the initializer of the parameter with this full name to the builder. It is read when the model is written."""
        name = self.infos[name].tied_to or name
        called = self.names[name]
        if called not in self.builder.stored:
            self.builder.stored[called] = self._make_stored(self.infos[name])
        return called

    def _make_stored(self, info: ParameterInfo) -> StoredTensor:
        if info.name in self.arrays:
            return StoredTensor(info.shape, info.dtype.name, lambda: self._read_array(info))
        if info.persistent:
            raise ValueError(f"no values were given for `{info.name}`")
        # Buffers outside of the state dict, such as tables, are in no checkpoint.
        return StoredTensor(info.shape, info.dtype.name, lambda: constant_values(info))

    def _read_array(self, info: ParameterInfo) -> Array:
        array = self.arrays[info.name]
        if array.shape != info.shape:
            raise ValueError(f"the values of `{info.name}` have the shape {list(array.shape)} instead of {list(info.shape)}")
        return array.astype(numpy_dtype(info.dtype), copy=False)
