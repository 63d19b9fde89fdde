"""Reads moves of complex numbers along one axis: `torch.cat((x, y), -1)` becomes `(x, y) -> concat 1` for complex tensors of two axes.

netc has no complex element type: a complex tensor is a real one with a last axis of real and imaginary parts (`spectral.py`). An operator
that moves elements along an axis moves such pairs just as well, if its axis counts from the front. So the readers of real tensors read it.
"""

from __future__ import annotations

import torch

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import READERS, Result, reads_complex
from .complex_numbers import to_pairs

_AXES = ("dim", "dims")


class _PairSite(AtenSite):
    """A node whose complex tensors are pairs, and whose axes count from the front."""

    def _to_tensor(self, argument: object) -> Value:
        fake = argument.meta["val"] if isinstance(argument, torch.fx.Node) else None
        is_number = isinstance(fake, torch.Tensor) and (fake.is_complex() or fake.dtype.is_floating_point)
        return to_pairs(AtenSite(self.node, self.scope), argument) if is_number else super()._to_tensor(argument)

    def integer(self, name: str) -> int:
        number = super().integer(name)
        return number % self._rank if name in _AXES else number

    def integers(self, name: str) -> tuple[int, ...]:
        numbers = super().integers(name)
        return tuple(number % self._rank for number in numbers) if name in _AXES else numbers

    @property
    def _rank(self) -> int:
        """The number of axes that PyTorch counts."""
        if self.name == "unbind":
            return len(self.args["self"].meta["val"].shape)
        fake = self.result[0] if isinstance(self.result, list | tuple) else self.result
        return len(fake.shape)


@reads_complex(
    *("cat", "concat", "concatenate", "stack", "split", "split_with_sizes", "chunk", "unbind"),
    *("select_scatter", "slice_scatter", "index_select", "flip", "roll"),
)
def read_complex_move(site: AtenSite) -> Result:
    if site.name == "roll" and not site.args["dims"]:
        raise ImportRefused("rolls all elements of a complex tensor", "give `dims`")
    pairs = _PairSite(site.node, site.scope)
    result = READERS[site.name](pairs)
    site.args.used.update(pairs.args.used)
    return result
