"""Run a written file in the vendor's own runtime, without netc.

In: the path of a file, and arrays in the order of the inputs. Out: arrays in the order of the outputs. A Core ML package runs on macOS
alone, so `read_package` returns the interface that it declares instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

Arrays = list[np.ndarray[Any, Any]]


def run_executorch(path: Path, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str]) -> Arrays:
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(path)
    results = program.load_method("forward").execute(list(inputs.values()))
    # the runtime overwrites its results in the next call
    return [np.array(result.float() if result.dtype == torch.bfloat16 else result) for result in results]


def run_litert(path: Path, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str]) -> Arrays:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner()
    results = runner(**{name: tensor.numpy() for name, tensor in inputs.items()})
    return [results[name] for name in outputs]


RUNTIMES: dict[str, Callable[[Path, Mapping[str, torch.Tensor], Sequence[str]], Arrays]] = {
    "executorch": run_executorch,
    "litert": run_litert,
}


def read_package(path: Path) -> tuple[dict[str, tuple[str, tuple[Any, ...]]], dict[str, tuple[str, tuple[Any, ...]]]]:
    """Return the type and the shape of each input and output of a Core ML package, by name. A flexible axis is a pair of its bounds."""
    import coremltools as ct
    from coremltools.proto import FeatureTypes_pb2

    description = ct.models.MLModel(str(path), skip_model_load=True).get_spec().description

    def read(features: Any) -> dict[str, tuple[str, tuple[Any, ...]]]:
        found = {}
        for feature in features:
            array = feature.type.multiArrayType
            ranges = [(r.lowerBound, r.upperBound) for r in array.shapeRange.sizeRanges]
            shape = tuple(low if low == high else (low, high) for low, high in ranges) or tuple(array.shape)
            found[feature.name] = (FeatureTypes_pb2.ArrayFeatureType.ArrayDataType.Name(array.dataType).lower(), shape)
        return found

    return read(description.input), read(description.output)
