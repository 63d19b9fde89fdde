"""Load and run a contender, in its own process.

In: a `Job`. Out: a `Runner`. Always: making a runner imports its libraries and nothing else, so that the time and the memory of `load` are
the model's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.backends.onnx import runtime
from netc.compiler.frontends.torch.capture_output import silence_output
from netc.compiler.types.numpy_types import to_array
from netc.compiler.types.tensor_types import DTYPES

from ..importing.first_difference import list_tensors
from ..importing.module_origin import load_named_module
from ..inputs.random_inputs import draw_array
from ..runtimes.open_session import SESSIONS, open_session
from .job import Job

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..runtimes.runtime_session import RuntimeSession


class WrongModel(Exception):
    """The model cannot be loaded or run; the message says why."""


class Runner(ABC):
    """`load` makes the model ready, `compute_results` runs it, `bind_inputs` gives a function that only runs it, again and again."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def load(self) -> None: ...

    @abstractmethod
    def compute_results(self) -> list[Array]: ...

    @abstractmethod
    def bind_inputs(self) -> Callable[[], object]: ...

    def draw_inputs(self) -> dict[str, Array]:
        """Draw the inputs. They are the same for every contender, because all have the same seed."""
        generator = np.random.default_rng(self.job.seed)
        return {name: draw_array(DTYPES[dtype], shape, generator) for name, dtype, shape in self.job.inputs}


class OnnxRunner(Runner):
    """An ONNX file in ONNX Runtime."""

    session: runtime.OnnxSession | RuntimeSession

    def load(self) -> None:
        self.session = runtime.OnnxSession(self.job.path, self.job.device, threads=self.job.threads)

    def compute_results(self) -> list[Array]:
        outputs = self.session(**self._match_inputs())
        return list(outputs.values()) if isinstance(outputs, dict) else [outputs]

    def bind_inputs(self) -> Callable[[], object]:
        return self.session.bound(self._match_inputs())

    def _match_inputs(self) -> Mapping[str, Array]:
        """Return the inputs under the model's names: by name if the names agree, else by position."""
        arrays, names = self.draw_inputs(), list(self.session.inputs)
        if set(names) == set(arrays):
            return arrays
        if len(names) != len(arrays):
            raise WrongModel(f"it has {len(names)} inputs, and is given {len(arrays)}")
        return dict(zip(names, arrays.values(), strict=True))


class RuntimeRunner(OnnxRunner):
    """An ONNX file in another runtime, whose name is the kind of the job."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        SESSIONS[job.kind].require_modules()

    def load(self) -> None:
        self.session = open_session(self.job.kind, self.job.path, threads=self.job.threads)


class TorchRunner(Runner):
    """A module in PyTorch."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        import torch
        from safetensors.torch import load_file

        from netc.compiler.backends.torch.live.module import to_tensor

        torch.set_num_threads(job.threads)
        if job.device == "cuda" and not torch.cuda.is_available():
            raise WrongModel("this PyTorch finds no CUDA device")
        self.torch: Any = torch
        self._named, self._weights, self._tensor, self._quiet = load_named_module, load_file, to_tensor, silence_output

    def load(self) -> None:
        module = self.make_module()
        self.run = self.torch.compile(module) if self.job.compiled else module

    def make_module(self) -> Any:
        """Return the module in evaluation mode, on the device. The seed decides the parameters that its code draws, so an export of it in
        another process has the same."""
        self.torch.manual_seed(self.job.seed)
        module = self._named(self.job.path, self.job.arguments)
        if self.job.weights is not None:
            module.load_state_dict(self._weights(self.job.weights))
        return module.eval().to(self.job.device)

    def compute_results(self) -> list[Array]:
        positional, named = self._make_tensors()
        with self.torch.inference_mode(), self._quiet():
            outputs = list_tensors(self.run(*positional, **named))
        return [to_array(tensor.cpu()) for tensor in outputs]

    def bind_inputs(self) -> Callable[[], object]:
        positional, named = self._make_tensors()
        # CUDA computes asynchronously: without waiting, only the launch would be measured
        wait = self.torch.cuda.synchronize if self.job.device == "cuda" else lambda: None

        def run() -> None:
            with self.torch.inference_mode():
                self.run(*positional, **named)
            wait()

        return run

    def _make_tensors(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the inputs as tensors, by position and by name."""
        tensors = {name: self._tensor(array).to(self.job.device) for name, array in self.draw_inputs().items()}
        named = {name: tensors.pop(name) for name in self.job.keywords}
        return list(tensors.values()), named


class ProgramRunner(TorchRunner):
    """An exported program in PyTorch."""

    def make_module(self) -> Any:
        with self._quiet():
            program = self.torch.export.load(self.job.path)
            if self.job.device != "cpu":
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, self.job.device)
            return program.module()


class ExportRunner(TorchRunner):
    """A module that torch.onnx.export writes to a file. It is not measured itself; the file is a contender."""

    def load(self) -> None:
        positional, named = self._make_tensors()
        axes = [dict.fromkeys(dynamic, self.torch.export.Dim.AUTO) for dynamic in self.job.dynamic]
        # in the order in which `_make_tensors` passes them: by position, then by name
        names = [name for name, _, _ in self.job.inputs if name not in self.job.keywords] + list(named)
        shapes: Any = dict(zip(names, axes, strict=True)) if named else tuple(axes)
        with self._quiet():
            self.torch.onnx.export(
                self.make_module(), tuple(positional), self.job.written, kwargs=named, dynamo=True, dynamic_shapes=shapes, verbose=False
            )

    def compute_results(self) -> list[Array]:
        return []


RUNNERS: dict[str, type[Runner]] = {
    "onnx": OnnxRunner,
    "torch": TorchRunner,
    "program": ProgramRunner,
    "export": ExportRunner,
    **dict.fromkeys(SESSIONS, RuntimeRunner),
}
