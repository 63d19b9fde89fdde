"""What users say of the weights of a model: where they are, and which part of them is meant.

In: paths or a mapping, patterns, a prefix. Out: a `Checkpoint`. Always: its arguments are checked at once, and nothing is read.
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
"""Arrays or tensors by state-dict name; the path of a file, an index of shards or a folder; `hf:org/name`; several of these."""


class Described(Protocol):
    """What has descriptions of parameters by state-dict name: a `netc.Model`."""

    @property
    def parameters(self) -> Mapping[str, ParameterInfo]: ...


@check_methods
class Checkpoint:
    """Weights, and which part of them is meant.

    `strip_prefix` is removed from the names that begin with it, such as `"encoder."`; without it, `module.`, `_orig_mod.` and `model.` are
    removed where all names have them and more agree with the model's then, and `""` keeps names as they are. Names that fit one of the
    patterns `ignore`, such as `"aux.*"`, are left out; parameters that fit one of `allow_missing` are drawn if they are not in the weights.
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
        """The weights as the model takes them, by name, each read when it is asked for: `drawn` has the names of those that are not in the
        checkpoint, `ignored` those of the checkpoint that are left out. Raises `WeightsError` if they do not fit."""
        return self.match_parameters(model.parameters, 0)

    def match_parameters(self, infos: Mapping[str, ParameterInfo], seed: int) -> MatchedWeights:
        """The same for descriptions of parameters; what is drawn depends on the seed."""
        from netc.compiler.weights.match_weights import match_tensors

        return match_tensors(infos, self._open_tensors(), self._make_selection(), seed)

    def digest(self) -> str:
        """A hash of all names and numbers, the same wherever they are, and of which are meant. Raises `WeightsError` if they cannot be
        read."""
        import numpy as np

        digest = blake2b(f"{self.strip_prefix} {self.ignore} {self.allow_missing}\n".encode(), digest_size=16)
        for name, tensor in sorted(self._open_tensors().items()):
            digest.update(f"{name} {tensor.kind} {tensor.shape}\n".encode())
            if tensor.dtype is not None:  # the numbers of another type are none that a model takes
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
    """Weights that a function was given: of a run's folder, the best ones."""
    return weights if weights is None or isinstance(weights, Checkpoint) else Checkpoint(weights)  # type: ignore[arg-type]


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
