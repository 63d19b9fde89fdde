"""ONNX files as origins, run by ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.onnx.failures import of_runtime, runtime_message
from netc.compiler.frontends.base import ImportFailed, Obstacle

from .origin import Calls, Origin
from .stages import Call

if TYPE_CHECKING:
    import onnx

    from netc.compiler.ir.elements import Array


def onnx_origin(path: str, fixed: Mapping[str, object], *, dequantize: bool = False) -> Origin:
    """The file as an origin. `fixed` are values of inputs and sizes of axes. With `dequantize` the float model that it represents is the
    origin, and the file what that is compared with. Raises `ImportFailed`."""
    from netc.compiler.frontends.onnx import float_model, from_file

    begun = time.monotonic()
    imported = from_file(path, fixed=fixed, dequantize=dequantize)
    seconds = time.monotonic() - begun
    own = _Run(lambda: path, fixed)
    if not dequantize:
        return Origin(path, imported, own, False, own.calls(imported.tensors), seconds, exact=own.exact, moved=own.moved)
    floats = _Run(lambda: float_model(path).SerializeToString(), fixed)
    return Origin(path, imported, floats, False, floats.calls(imported.tensors), seconds, own, floats.exact, floats.moved)


class _Run:
    """Runs a file, or the bytes of one, as it is."""

    def __init__(self, source: Callable[[], str | bytes], fixed: Mapping[str, object]) -> None:
        self.source, self.fixed = source, fixed

    @cached_property
    def session(self) -> Any:
        return self._session(self.source())

    def _session(self, source: str | bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        feeds = self._feeds(inputs)
        try:
            return list(self.session.run(None, feeds))
        except Exception as error:
            if not of_runtime(error):
                raise
            shapes = ", ".join(f"`{name}` {list(array.shape)}" for name, array in feeds.items())
            why = f"fails in ONNX Runtime on inputs of the shapes {shapes}: {runtime_message(error)[:300]}"
            raise ImportFailed((Obstacle("the file", why, ""),)) from error

    def exact(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """What the file says, in float64. Raises `NotEvaluated`."""
        from .exact import evaluated

        return evaluated(self._model(), self._feeds(inputs))

    def moved(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """The same with all numbers half a digit off. Raises `NotEvaluated`."""
        from .exact import evaluated

        return evaluated(self._model(), self._feeds(inputs), rounded=True)

    def calls(self, tensors: Mapping[str, tuple[str, str]]) -> Calls:
        """What stages take and make, as tensors that the file has: `tensors` are their names by the paths of the stages."""

        def run(inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Call]:
            names = list(dict.fromkeys(name for pair in tensors.values() for name in pair))
            found = self._tensors(names, inputs)
            pairs = [(path, found.get(given), found.get(made)) for path, (given, made) in tensors.items()]
            return [Call(path, 0, (given,), (made,)) for path, given, made in pairs if given is not None and made is not None]

        return run

    def _tensors(self, names: Sequence[str], inputs: Sequence[Array]) -> dict[str, Array]:
        """The tensors with these names; none if the file does not run with all of them as outputs."""
        import onnx
        import onnxruntime

        model, feeds = self._model(), self._feeds(inputs)
        known = {info.name for info in (*model.graph.input, *model.graph.output)}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
        wanted = [name for name in names if name not in feeds]
        if not wanted:  # ONNX Runtime takes an empty list for all outputs
            return feeds
        try:
            made = self._session(model.SerializeToString()).run(wanted, feeds)
        except (ValueError, RuntimeError, onnxruntime.capi.onnxruntime_pybind11_state.Fail):
            return {}
        return {**feeds, **dict(zip(wanted, made, strict=True))}

    def _model(self) -> onnx.ModelProto:
        import onnx

        source = self.source()
        return onnx.load(source) if isinstance(source, str) else onnx.ModelProto.FromString(source)

    def _feeds(self, inputs: Sequence[Array]) -> dict[str, Array]:
        import numpy as np

        given, kinds = iter(inputs), self.session.get_inputs()
        return {i.name: np.asarray(self.fixed[i.name]) if i.name in self.fixed else next(given) for i in kinds}
