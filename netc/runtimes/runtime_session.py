"""A model in another runtime than ONNX Runtime: what all runtimes share.

In: the path of an ONNX model, and arrays by position or name. Out: the output, or outputs by name, in the types and shapes that the model
declares. Always: arrays that do not fit the model's inputs raise `ValueError` before anything runs, as in a session of ONNX Runtime. A
failure of the runtime is an error in one line, with the stage if the runtime names a node.

For example, `TractSession("net.onnx")([[-1.0, 0.0, 2.0]])` returns an array for a model with one output.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NoReturn

import numpy as np
import onnx

from netc.compiler.backends.onnx.feeds import assign_inputs, make_feeds
from netc.compiler.backends.onnx.model_ports import read_ports
from netc.compiler.backends.onnx.runtime_failures import RunFailed
from netc.compiler.backends.onnx.runtime_profiles import RuntimeProfile
from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.ir.ports import Port, shape_fits
from netc.compiler.types.numpy_types import Array, numpy_dtype

_BACKTRACE = re.compile(r"Stack backtrace:.*", re.DOTALL)
"""The part of a message of tract that only its authors can use."""
Check = Callable[[Mapping[str, tuple[int, ...]]], None]


class RuntimeUnavailable(ValueError):
    """The package of a runtime is not installed."""


class LoadFailed(ValueError):
    """The runtime cannot load the model."""


class RuntimeSession(ABC):
    """A loaded model. `inputs` and `outputs` are the types by name, in order. A subclass loads and runs models in one runtime."""

    profile: ClassVar[RuntimeProfile]
    modules: ClassVar[tuple[str, ...]]
    """The modules that it imports, whose packages must be installed."""

    def __init__(
        self, path: str, check: Check | None = None, threads: int | None = None, folder: TemporaryDirectory[str] | None = None
    ) -> None:
        """`check` may refuse the shapes of the inputs, by name, with a ValueError. `threads` is the number of threads that compute. By
        default the runtime decides. `folder` has the model, and is kept as long as the session lives.

        Raises `RuntimeUnavailable` and `LoadFailed`.
        """
        self.require_modules()
        self._path, self._check, self._folder = path, check, folder
        self.inputs, self.outputs = read_ports(path)
        try:
            self._load(path, threads)
        except Exception as error:  # each runtime has its own exceptions, and importers raise whatever they meet
            raise LoadFailed(f"{self.profile.title} cannot load the model: {self.shorten_message(str(error))}") from error

    def __call__(self, /, *arrays: object, **named: object) -> Array | dict[str, Array]:
        """Run the model on arrays, PyTorch tensors or lists. Return the output, or all of them by name if there are several.

        Raises `ValueError` for arrays that do not fit, and its subclass `RunFailed` if the runtime fails.
        """
        feeds = self._make_feeds(assign_inputs(self.inputs, arrays, named))
        with self._explain_failures(feeds):
            values = self._run(feeds)
        results = {name: self._check_result(port, value) for (name, port), value in zip(self.outputs.items(), values, strict=True)}
        return next(iter(results.values())) if len(results) == 1 else results

    def bound(self, values: Mapping[str, object]) -> Callable[[], object]:
        """Return a function that runs the model once on these inputs, and waits for the end."""
        feeds = self._make_feeds(assign_inputs(self.inputs, (), values))
        return lambda: self._run(feeds)

    def __reduce__(self) -> NoReturn:
        """Raise `TypeError`: a session belongs to its process."""
        raise TypeError("a session cannot be pickled; save the model, `model.save('model.onnx')`, and open the file in the other process")

    @abstractmethod
    def _load(self, path: str, threads: int | None) -> None:
        """Load the model. May raise anything."""

    @abstractmethod
    def _run(self, feeds: Mapping[str, Array]) -> list[Any]:
        """Run the model on arrays of the declared types. Return the outputs in order. May raise anything."""

    def _check_values(self, feeds: Mapping[str, Array]) -> None:  # noqa: B027
        """Raise ValueError for values that the runtime would change."""

    @classmethod
    def shorten_message(cls, message: str) -> str:
        """Return a message of the runtime on one line."""
        return " ".join(_BACKTRACE.sub("", message).split())[:400]

    @classmethod
    def require_modules(cls) -> None:
        """Import the runtime. Raises `RuntimeUnavailable` if it is not installed."""
        for module in cls.modules:
            try:
                import_module(module)
            except ImportError:
                command = format_install_command(*cls.modules)
                raise RuntimeUnavailable(f"{cls.profile.title} is not installed: run `{command}`") from None

    def _make_feeds(self, values: Mapping[str, object]) -> dict[str, Array]:
        feeds = make_feeds(self.inputs, values)
        if self._check is not None:
            self._check({name: array.shape for name, array in feeds.items()})
        self._refuse_crashes(feeds)
        self._check_values(feeds)
        # Runtimes read the memory of an array as it lies.
        return {name: np.asarray(array, order="C") for name, array in feeds.items()}

    def _refuse_crashes(self, feeds: Mapping[str, Array]) -> None:
        """Raise ValueError for an input without elements if an operator of the model may end the process then."""
        empty = next((name for name, array in feeds.items() if not array.size), None)
        if empty is None or not self.profile.crashing:
            return
        from netc.compiler.backends.onnx.crashing_kernels import iter_all_nodes

        model = onnx.load(self._path, load_external_data=False)
        kernel = next((node.op_type for node in iter_all_nodes(model) if node.op_type in self.profile.crashing), None)
        if kernel is not None:
            shape = list(feeds[empty].shape)
            raise ValueError(f"the input `{empty}` is {shape}: without elements, {self.profile.title}'s {kernel} may end the process")

    @contextmanager
    def _explain_failures(self, feeds: Mapping[str, Array]) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # as in `__init__`
            empty = next((name for name, array in feeds.items() if not array.size), None)
            because = f"the input `{empty}` is {list(feeds[empty].shape)}: without elements, " if empty is not None else ""
            raise RunFailed(f"{because}{self.profile.title} fails: {self.shorten_message(str(error))}") from error

    def _check_result(self, port: Port, value: Any) -> Array:
        """Return an output in its declared type. Some runtimes have fewer integer types than ONNX."""
        array = np.asarray(value)
        if not shape_fits(port.shape, array.shape):
            raise RunFailed(f"the output `{port.name}` is {port}: {self.profile.title} makes one of shape {list(array.shape)}")
        return array.astype(numpy_dtype(port.dtype), copy=False)
