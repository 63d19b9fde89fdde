"""Convert an exported module by coremltools.

In: an exported module. Out: a package, which is a folder, or its ML program as text. Always: the element types are the spec's: coremltools
alone would compute a float32 model in float16. The same model gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import torch
from torch import Tensor

from netc.dsl.record import Record

from ..backend import WrongOutput
from ..exported.conversion import Converter

if TYPE_CHECKING:
    from ..exported.export_module import ExportedModule


class CoremlPackage(Record):
    """A package that is not written yet. `model` is a `coremltools.models.MLModel`."""

    model: Any

    def to_bytes(self) -> bytes:
        raise WrongOutput("a Core ML package is a folder: give -o NAME.mlpackage")

    def save(self, path: str) -> None:
        self.model.save(path)
        _sort_message(os.path.join(path, "Data", "com.apple.CoreML", "model.mlmodel"))
        _name_items(os.path.join(path, "Manifest.json"))
        for name in os.listdir(path):
            if name.endswith(".json") and name != "Manifest.json":  # tables for ExecuTorch's debugger, which the manifest does not name
                os.unlink(os.path.join(path, name))


def write_package(exported: ExportedModule) -> CoremlPackage:
    """Return the package."""
    return CoremlPackage(_convert_module(exported))


def describe_package(exported: ExportedModule) -> str:
    """Return the ML program as text."""
    return f"{_convert_module(exported)._mil_program}\n"


_POOLS = tuple(getattr(torch.ops.aten, f"max_pool{axes}d").default for axes in (1, 2, 3))


def _pass_stride(pool: Callable[..., Tensor]) -> Callable[..., Any]:
    """Give a pool whose stride is its kernel this stride: coremltools asks for the argument."""

    def call_with_stride(x: Tensor, kernel_size: Sequence[int], stride: Sequence[int] = (), *others: Any) -> Any:
        return NotImplemented if stride else pool(x, kernel_size, kernel_size, *others)  # `NotImplemented` keeps the operator as it is

    return call_with_stride


def _convert_module(exported: ExportedModule) -> Any:
    import coremltools as ct

    model = ct.convert(
        exported.run_export().run_decompositions({pool: _pass_stride(pool) for pool in _POOLS}),
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS17,
        skip_model_load=True,
        outputs=[ct.TensorType(name=name) for name in exported.program.main.output_names],
    )
    del model.user_defined_metadata["com.github.apple.coremltools.conversion_date"]
    return model


def _sort_message(path: str) -> None:
    """Write the message again with sorted maps, so that the same model gives the same bytes."""
    from coremltools.proto import Model_pb2

    message = Model_pb2.Model()
    with open(path, "rb") as file:
        message.ParseFromString(file.read())
    with open(path, "wb") as file:
        file.write(message.SerializeToString(deterministic=True))


def _name_items(manifest: str) -> None:
    """Replace the random identifiers of a package's items by identifiers that depend on their paths."""
    with open(manifest, encoding="utf-8") as file:
        content = json.load(file)
    entries = content["itemInfoEntries"]
    names = {old: str(uuid5(NAMESPACE_URL, entry["path"])).upper() for old, entry in entries.items()}
    content["itemInfoEntries"] = {names[old]: entry for old, entry in entries.items()}
    content["rootModelIdentifier"] = names[content["rootModelIdentifier"]]
    with open(manifest, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=4, sort_keys=True)


CONVERTER = Converter(write_package, describe_package)
