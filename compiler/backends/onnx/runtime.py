"""Runs ONNX models in ONNX Runtime.

In: a model or the path of one, and arrays by position or name. Out: the output, or outputs by name. Always: arrays that do not fit the
model's inputs raise `ValueError` before anything runs. The requested device is used, or an error is raised.

    >>> import netc
    >>> session = OnnxSession(netc.compile("input 3 -> relu").onnx())
    >>> session([[-1.0, 0.0, 2.0]]).tolist(), session.inputs
    ([[0.0, 0.0, 2.0]], {'input': Port(name='input', dtype=float32, shape=('N', 3))})
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NoReturn

import onnxruntime
from onnx import ModelProto, load

from ...ir.ports import Port, shape_fits
from ...types.numpy_types import Array
from .crashing_kernels import find_crashing_kernel
from .execution_providers import DeviceUnavailable, check_device_used, list_providers
from .feeds import (
    UnknownPort,
    assign_inputs,
    from_ort_value,
    make_feeds,
    make_known_feeds,
    read_port,
    repeat_session,
    run_session,
    run_session_keeping,
    to_ort_value,
)
from .placement import RECORDED, Placement, find_placement
from .runtime_failures import RunFailed, is_runtime_error, run_failure
from .save import OnnxArtifact, from_proto

_IN_MEMORY = 1 << 26
"""The most bytes of weights that are passed to ONNX Runtime in memory, where it makes two more copies. It maps larger ones from a file."""
Check = Callable[[Mapping[str, tuple[int, ...]]], None]

__all__ = ["DeviceUnavailable", "OnnxSession", "Port", "RunFailed", "UnknownPort"]


@contextmanager
def _explain_failures(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[None]:
    """Raise `RunFailed`, which names the stage, in place of ONNX Runtime's exceptions."""
    try:
        yield
    except Exception as error:
        if not is_runtime_error(error):
            raise
        raise run_failure(error, shapes) from error


def _require_names(values: object) -> None:
    """Raise `TypeError` if the inputs are no mapping by name."""
    if not isinstance(values, Mapping):
        raise TypeError(f"`values` must be a mapping of the names of inputs to arrays, not {type(values).__name__}")


def _check_results(outputs: Mapping[str, Port], results: Mapping[str, Array]) -> None:
    """Raise `RunFailed` for results of wrong shapes. Without elements, some kernels, such as ReduceSum of the last axis, keep an axis that
    they should remove."""
    for name, result in results.items():
        if not shape_fits(outputs[name].shape, result.shape):
            raise RunFailed(
                f"the output `{name}` is {outputs[name]}: without elements, ONNX Runtime makes one of shape {list(result.shape)}"
            )


class OnnxSession:
    """A loaded model. `inputs` and `outputs` are the types by name, in order."""

    inputs: dict[str, Port]
    outputs: dict[str, Port]
    _load_nodes: Callable[[], tuple[ModelProto, tuple[str, ...]]]
    """Loads the model, and the names of initializers that it lacks."""
    _build_full: Callable[[], ModelProto]
    """Builds the model with the types of its initializers."""

    def __init__(
        self, model: ModelProto | OnnxArtifact | str | Path, device: str = "cpu", check: Check | None = None, threads: int | None = None
    ) -> None:
        """`device` is `cpu` or `cuda`. `check` may refuse the shapes of the inputs, by name, with a ValueError. `threads` is the number of
        threads that compute on the CPU. By default ONNX Runtime decides.

        Raises `DeviceUnavailable`, `UnknownPort`, FileNotFoundError for a path without a file, and ONNX Runtime's own exceptions for
        models that it cannot load.
        """
        self._check = check
        wanted = list_providers(device)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised anyway, and the log would repeat them
        options.add_session_config_entry(RECORDED, "1")
        if threads is not None:
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._folder: TemporaryDirectory[str] | None = None
        self._session = onnxruntime.InferenceSession(self._prepare_source(model), options, providers=wanted)
        check_device_used(device, self._session.get_providers())
        self.device = device
        self.inputs = {i.name: read_port(i) for i in self._session.get_inputs()}
        self.outputs = {o.name: read_port(o) for o in self._session.get_outputs()}
        self._output_names = list(self.outputs)

    def __call__(self, /, *arrays: object, **named: object) -> Array | dict[str, Array]:
        """Run the model on arrays, PyTorch tensors or lists. Return the output, or all of them by name if there are several.

        Floating-point numbers are converted to the input's type, and integers if no number changes. Raises `ValueError` for arrays that do
        not fit, and its subclass `RunFailed` if ONNX Runtime fails because of the values, such as an index out of range.
        """
        feeds = make_feeds(self.inputs, assign_inputs(self.inputs, arrays, named))
        shapes = {name: array.shape for name, array in feeds.items()}
        self._check_shapes(shapes)
        with _explain_failures(shapes):
            results = run_session(self._session, feeds, self.outputs)
        # Results have the declared shapes otherwise: checking each of them would slow every run down.
        if any(0 in shape for shape in shapes.values()):
            _check_results(self.outputs, results)
        return next(iter(results.values())) if len(results) == 1 else results

    @property
    def metadata(self) -> dict[str, str]:
        """The texts that the file has by name, such as `netc_version`."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def __reduce__(self) -> NoReturn:
        """Raise `TypeError`: a session belongs to its process."""
        raise TypeError("a session cannot be pickled; save the model, `model.save('model.onnx')`, and open the file in the other process")

    def keeping(self, values: Mapping[str, object], kept: Collection[str]) -> dict[str, Any]:
        """Run the model in a loop. The outputs `kept` are values of ONNX Runtime, which may be inputs of the next run without a copy. All
        others are arrays, by name, and inputs may be arrays too."""
        _require_names(values)
        assign_inputs(self.inputs, (), values)
        if isinstance(kept, str) or not isinstance(kept, Collection) or not all(isinstance(name, str) for name in kept):
            raise TypeError(f"`kept` must be names of outputs, not {type(kept).__name__}")
        values_on_device = {name: value for name, value in values.items() if isinstance(value, onnxruntime.OrtValue)}
        arrays = {name: value for name, value in values.items() if name not in values_on_device}
        feeds = make_feeds({name: self.inputs[name] for name in arrays}, arrays)
        shapes = {name: array.shape for name, array in feeds.items()} | {
            name: tuple(value.shape()) for name, value in values_on_device.items()
        }
        self._check_shapes(shapes)
        with _explain_failures(shapes):
            return run_session_keeping(self._session, feeds, values_on_device, kept, self.outputs)

    def repeat(self, pieces: Mapping[str, object], values: Mapping[str, Any]) -> list[Any]:
        """Run the model on the results `values` of a run before, as `keeping` does. Their shapes, and how they fit together, are not
        checked: the caller knows both. `pieces` are the arrays of the other inputs. Return all outputs, in order, as values of ONNX
        Runtime; `read_result` converts one."""
        feeds = make_known_feeds(self.inputs, pieces)
        try:
            return repeat_session(self._session, feeds, values, self._output_names)
        except Exception as error:
            if not is_runtime_error(error):
                raise
            shapes = {name: array.shape for name, array in feeds.items()} | {name: tuple(v.shape()) for name, v in values.items()}
            raise run_failure(error, shapes) from error

    def read_result(self, name: str, value: Any) -> Array:
        """Convert the value of an output to an array."""
        return from_ort_value(value, self.outputs[name].dtype)

    def placement(self) -> Placement:
        """Return the device on which the nodes run."""
        proto, constants = self._load_nodes()
        return find_placement(self._session, self.device, proto, constants)

    def bound(self, values: Mapping[str, object]) -> Callable[[], None]:
        """Return a function that runs the model once on these inputs and waits for the end. Inputs and outputs stay on the device."""
        _require_names(values)
        feeds = make_feeds(self.inputs, assign_inputs(self.inputs, (), values))
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_ortvalue_input(name, to_ort_value(array))  # copied to the device once
        for name in self.outputs:
            binding.bind_output(name, self.device)

        def run() -> None:
            self._session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return run

    def _check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise ValueError for shapes that the model, or a kernel of ONNX Runtime, cannot take."""
        if self._check is not None:
            self._check(shapes)
        if all(0 not in shape for shape in shapes.values()):
            return  # before the nodes are loaded: a session of a file would read the file in every run
        kernel = find_crashing_kernel(self._load_nodes()[0], self._build_full, shapes)
        if kernel is not None:
            empty = next(name for name, shape in shapes.items() if 0 in shape)
            raise ValueError(f"the input `{empty}` is {list(shapes[empty])}: without elements, ONNX Runtime's {kernel} ends the process")

    def _prepare_source(self, model: ModelProto | OnnxArtifact | str | Path) -> str | bytes:
        """Return the bytes for ONNX Runtime, or the path of a model that is too large to pass in memory."""
        if isinstance(model, str | Path):
            if not os.path.isfile(model):
                raise FileNotFoundError(f"there is no model at `{model}`")
            self._load_nodes = lambda: (load(model, load_external_data=False), ())
            self._build_full = lambda: load(model, load_external_data=False)
            return _name_for_runtime(str(model))
        artifact = model if isinstance(model, OnnxArtifact) else OnnxArtifact(from_proto(model))
        proto, names = artifact.graph.proto, tuple(artifact.graph.tensors)
        self._load_nodes = lambda: (proto, names)
        self._build_full = artifact.graph.to_proto
        if artifact.nbytes <= _IN_MEMORY and not artifact.is_large:
            return artifact.to_bytes()
        self._folder = TemporaryDirectory()
        path = str(Path(self._folder.name, "model.onnx"))
        self._build_full = lambda: load(path, load_external_data=False)
        try:
            artifact.save_for_mapping(path)
        except OSError as error:
            self._folder.cleanup()
            # The disk may be full although the memory is not.
            if not artifact.is_large:
                return artifact.to_bytes()
            error.filename = error.filename or gettempdir()  # the user must know which disk is full
            raise
        return path


def _name_for_runtime(path: str) -> str | bytes:
    """Return the path, or the bytes of the file if the path is not UTF-8, which ONNX Runtime needs."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return Path(path).read_bytes()
    return path
