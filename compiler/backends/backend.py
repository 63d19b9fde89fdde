"""The protocol of a backend, which saving, `--emit`, the command line, the operator reference and the tests rely on.

In: a `BackendInput`. Out: an artifact, which is text or one or more files. Always: the same input gives the same bytes. Importing the
package of a backend imports nothing heavy, since its methods import what they need.

    >>> from .backend_registry import get_or_raise
    >>> has_suffix(get_or_raise("onnx"), "model.onnx"), has_suffix(get_or_raise("torch"), "model.onnx")
    (True, False)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from netc.dsl.record import Record

from .backend_names import ARTIFACTS, OPSET

if TYPE_CHECKING:
    from ..ir.graph import Program
    from ..ops.operator import Operator
    from ..types.numpy_types import Array

    Arrays = Mapping[str, Array]
    CheckShapes = Callable[[Mapping[str, tuple[int, ...]]], None]


class WrongOutput(ValueError):
    """A path or an option that does not fit the artifact of a backend."""


class GraphOptions(Record):
    """Options for writing an artifact that is a graph. `opset`: use the operators of this opset. `optimize`: use the form that runs
    fastest, rather than a form stage by stage. `metadata`: texts by name, in the file; `description` is also the model's own
    documentation. `functions`: write a function for each block, rather than a flat graph. `runtime`: write the form that this one takes,
    a key of `onnx.runtime_profiles.PROFILES`. It is empty for ONNX Runtime. `device`: convert
    element types for which this device has no kernel, such as `cuda`. It is empty for the CPU."""

    opset: int = OPSET
    optimize: bool = True
    metadata: tuple[tuple[str, str], ...] = ()
    functions: bool = False
    runtime: str = ""
    device: str = ""


DEFAULT_OPTIONS = GraphOptions()
"""The default options."""


class SourceOptions(Record):
    """Options for writing the source of a module. `scan_layers`: write equal layers as one loop, with their parameters stacked.
    `partition`: by a pattern of keys, the name of the devices' axis for each axis of a parameter that several devices share."""

    scan_layers: bool = False
    partition: tuple[tuple[str, tuple[str | None, ...]], ...] = ()


DEFAULT_SOURCE_OPTIONS = SourceOptions()
"""The default options of a source."""


class BackendInput(Record):
    """A checked program and what belongs to it. `weights` opens the arrays by state-dict name, each of which is read on access. It is None
    if the caller has none. `progress` is called while a large artifact is written, with the bytes so far and all of them. `options` are
    for backends with `takes_options`, `source_options` for those with `takes_source_options`."""

    program: Program
    name: str
    spec_hash: str = ""
    weights: Callable[[], Arrays] | None = None
    progress: Callable[[int, int], None] | None = None
    options: GraphOptions = DEFAULT_OPTIONS
    source_options: SourceOptions = DEFAULT_SOURCE_OPTIONS

    def open_arrays(self) -> Arrays:
        """Open the parameters and buffers. Without `weights`, the values of seed 0."""
        if self.weights is not None:
            return self.weights()
        from ..analysis.state_dict import collect_parameters
        from ..weights.initial import InitialValues

        return InitialValues(collect_parameters(self.program), 0)


class Artifact(Protocol):
    """The result of a backend, not yet written to a file."""

    def to_bytes(self) -> bytes:
        """The content, if it is one file. Raises `WrongOutput` if it is several."""
        ...

    def save(self, path: str) -> None:
        """Write it to `path`, and further files next to it, in a folder that holds nothing else. Their names match the backend's `parts`,
        and no two contents have the same name."""
        ...


class TextArtifact(Record):
    """A text in one file."""

    text: str

    def to_bytes(self) -> bytes:
        return self.text.encode()

    def save(self, path: str) -> None:
        with open(path, "wb") as file:
            file.write(self.to_bytes())


class BytesArtifact(Record):
    """The content of one file."""

    content: bytes

    def to_bytes(self) -> bytes:
        return self.content

    def save(self, path: str) -> None:
        with open(path, "wb") as file:
            file.write(self.content)


class Backend(Protocol):
    """A target. A backend of texts needs only names and `text`."""

    name: str
    """The name in `--target` and `--emit`, and of the backend's folder."""
    title: str
    """The name in documentation: `PyTorch`."""
    suffix: str
    """The ending of its files' names: `.py`."""
    parts: str | None = None
    """A regular expression for the endings of the further files of an artifact: the text after its own name."""
    folder_marker: str | None = None
    """The name of a file that every artifact contains, if artifacts are folders. Only a folder with this file is ever replaced."""
    is_binary: bool = False
    """The artifact is not for terminals; `text` is another view of it."""
    holds_weights: bool = False
    """The artifact contains the values of parameters."""
    takes_options: bool = False
    """The artifact is a graph, to which `GraphOptions` apply."""
    takes_source_options: bool = False
    """The artifact is the source of a module, to which `SourceOptions` apply."""

    @property
    def artifact(self) -> str:
        """The noun for its artifact in messages: `PyTorch source`."""
        return ARTIFACTS[self.name]

    def text(self, given: BackendInput) -> str:
        """Return the text that `--emit` shows. Raises `UnsupportedByTarget`."""
        ...

    def build(self, given: BackendInput) -> Artifact:
        """Build the artifact. Raises `UnsupportedByTarget`."""
        return TextArtifact(self.text(given))

    def operator_target(self, operator: type[Operator]) -> str | None:
        """Return the operator's counterpart in the target, for its documentation: `torch.nn.Linear`. Empty if it is composed of several;
        None if the target has no operators of its own."""
        return None

    def differences(self, operator: type[Operator]) -> tuple[str, ...]:
        """Return sentences about the operator's differences from PyTorch, for its documentation."""
        return ()

    def notes(self, given: BackendInput, *, verbose: bool = False) -> tuple[str, ...]:
        """Return notes for users about the artifact, without full stops. If `verbose`, also notes that concern only unusual
        inputs and would apply to almost every model."""
        return ()


class Session(Protocol):
    """A model that runs. Called with arrays by position or name, it returns the output, or the outputs by name if there are several."""

    def __call__(self, /, *arrays: object, **named: object) -> Array | dict[str, Array]: ...


@runtime_checkable
class Executable(Protocol):
    """A backend whose artifact can be run."""

    def session(self, given: BackendInput, device: str = "cpu", check: CheckShapes | None = None) -> Session:
        """Load the artifact on a device. `check` may refuse the shapes of inputs, by name, with a ValueError."""
        ...


def has_suffix(backend: Backend, path: str) -> bool:
    """Whether a path asks for this backend."""
    return os.path.splitext(path)[1].lower() == backend.suffix
