"""Describe the weights of a model: their paths, and the part of them to load.

In: paths or a mapping, patterns, a prefix. Out: a `Checkpoint`. Always: its arguments are checked at once, and nothing is read.

    >>> Checkpoint("model.safetensors", strip_prefix="encoder.").strip_prefix, to_checkpoint(None)
    ('encoder.', None)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from ..training.run_files import find_weights
from .argument_checks import check_name, check_path
from .argument_types import check_methods

if TYPE_CHECKING:
    from netc.compiler.analysis.state_dict import ParameterInfo
    from netc.compiler.weights.lazy_tensors import StoredTensor
    from netc.compiler.weights.match_weights import MatchedWeights
    from netc.compiler.weights.weight_selection import Selection

Source = Mapping[str, Any] | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Arrays or tensors by state-dict name, or the path of a file, an index of shards or a folder, or `hf:org/name`, or several paths."""


class Described(Protocol):
    """An object with descriptions of parameters by state-dict name, such as a `netc.Model`."""

    @property
    def parameters(self) -> Mapping[str, ParameterInfo]: ...


@check_methods
class Checkpoint:
    """Weights, and the part of them to load.

    `strip_prefix`, such as `"encoder."`, is removed from the names that begin with it. By default, netc removes `module.`, `_orig_mod.` or
    `model.` if every name has the prefix and more names match the model's without it; `""` keeps the names as they are. Names that match a
    pattern of `ignore`, such as `"aux.*"`, are left out. Parameters that match a pattern of `allow_missing` are drawn if the weights lack
    them.
    """

    def __init__(
        self, source: Source, *, strip_prefix: str | None = None, ignore: Iterable[str] = (), allow_missing: Iterable[str] = ()
    ) -> None:
        self.mapping: Mapping[str, Any] | None = source if isinstance(source, Mapping) else None
        self.paths: tuple[str, ...] = () if isinstance(source, Mapping) else _check_source(source)
        self.strip_prefix = check_name(strip_prefix, "strip_prefix")
        self.ignore = _check_patterns(ignore, "ignore")
        self.allow_missing = _check_patterns(allow_missing, "allow_missing")

    def compare(self, model: Described) -> MatchedWeights:
        """Return the weights under the model's names, each read when you access it.

        Its `drawn` has the names that the checkpoint lacks, its `ignored` the names of the checkpoint that are left out. Raises
        `WeightsError` if the weights do not fit.
        """
        return self.match_parameters(model.parameters, 0)

    def match_parameters(self, infos: Mapping[str, ParameterInfo], seed: int) -> MatchedWeights:
        """Return the weights for these parameters. The seed decides the values of drawn parameters."""
        from netc.compiler.weights.match_weights import match_tensors

        return match_tensors(infos, self._open_tensors(), self._make_selection(), seed)

    def digest(self) -> str:
        """Return a hash of all names and values and of the part to load, which does not depend on the path or the file format. Raises
        `WeightsError` for weights that cannot be read."""
        import numpy as np

        digest = blake2b(f"{self.strip_prefix} {self.ignore} {self.allow_missing}\n".encode(), digest_size=16)
        for name, tensor in sorted(self._open_tensors().items()):
            digest.update(f"{name} {tensor.kind} {tensor.shape}\n".encode())
            if tensor.dtype is not None:  # no model takes an element type that netc does not have
                digest.update(np.ascontiguousarray(tensor.read()).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def _make_selection(self) -> Selection:
        from netc.compiler.weights.weight_selection import Selection

        return Selection(self.strip_prefix, self.ignore, self.allow_missing)

    def _open_tensors(self) -> Mapping[str, StoredTensor]:
        from netc.compiler.weights.lazy_tensors import stored_tensor
        from netc.compiler.weights.match_weights import open_weights, to_arrays

        if self.mapping is not None:
            return {name: stored_tensor(array) for name, array in to_arrays(self.mapping).items()}
        return open_weights(self.paths)

    def __repr__(self) -> str:
        return f"<netc.Checkpoint {', '.join(self.paths) or 'of a mapping'}>"


def to_checkpoint(weights: object) -> Checkpoint | None:
    """Return the weights that the caller of an API function passed, as a `Checkpoint`. A run's folder stands for its best weights."""
    return weights if weights is None or isinstance(weights, Checkpoint) else Checkpoint(weights)  # type: ignore[arg-type]


def allow_missing_also(checkpoint: Checkpoint, names: Iterable[str]) -> Checkpoint:
    """Return the same weights, which may lack these parameters too."""
    source = list(checkpoint.paths) if checkpoint.mapping is None else checkpoint.mapping
    allowed = (*checkpoint.allow_missing, *names)
    return Checkpoint(source, strip_prefix=checkpoint.strip_prefix, ignore=checkpoint.ignore, allow_missing=allowed)


def _check_source(source: object) -> tuple[str, ...]:
    several = source if isinstance(source, (list, tuple)) else [source]
    if not several:
        raise ValueError("`weights` must be at least one path, not an empty list")
    return tuple(find_weights(check_path(path, "`weights`")) for path in several)


def _check_patterns(patterns: object, what: str) -> tuple[str, ...]:
    if isinstance(patterns, (str, bytes)) or not isinstance(patterns, Iterable):
        raise TypeError(f"{what} must be several patterns, such as a list, not {type(patterns).__name__}")
    checked = tuple(patterns)
    wrong = next((pattern for pattern in checked if not isinstance(pattern, str)), None)
    if wrong is not None:
        raise TypeError(f"{what}: a pattern must be a str, not {type(wrong).__name__}")
    return checked
