"""Models to files. Over two gigabytes, the limit of a protobuf message, weights go to a second file next to the first.

In: a `ModelProto` and a path. Out: `NAME.onnx`, and `NAME.onnx.HASH.data` where it is needed. Always: a file is written
whole or not at all; other weights have another hash, so that a graph never finds those of another model, whenever writing ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from math import prod
from pathlib import Path

from onnx import ModelProto, TensorProto

from netc.dsl.record import Record

from ..base import WrongOutput
from .elements import element_size

LARGEST = 2_000_000_000
"""Bytes of initialisers that fit into one file, with room for the nodes."""
_ALIGNMENT = 4096
"""Tensors start at pages, so that they can be mapped into memory; smaller ones stay in the model."""


class OnnxArtefact(Record):
    """A model, not yet written."""

    proto: ModelProto

    def to_bytes(self) -> bytes:
        if is_large(self.proto):
            raise WrongOutput("a model over 2 GB is two files, and cannot be written to a pipe")
        content: bytes = self.proto.SerializeToString(deterministic=True)
        return content

    def save(self, path: str) -> None:
        save_proto(self.proto, path)


def save_proto(proto: ModelProto, path: str | Path) -> None:
    """Writes the model to `path`."""
    path = Path(path)
    if not is_large(proto):
        write_atomically(path, [proto.SerializeToString(deterministic=True)])
        return
    digest = blake2b(digest_size=8)
    unnamed = path.with_name(path.name + ".data")
    write_atomically(unnamed, _digested(_contents(proto), digest))
    data = path.with_name(f"{path.name}.{digest.hexdigest()}.data")
    os.replace(unnamed, data)
    light = _without_weights(proto, data.name)
    write_atomically(path, [light.SerializeToString(deterministic=True)])


def _digested(chunks: Iterable[bytes], digest: blake2b) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def is_large(proto: ModelProto) -> bool:
    """Whether the model is too large for one message."""
    return sum(map(_bytes, proto.graph.initializer)) > LARGEST


def write_atomically(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes a file under another name and moves it into place when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _bytes(tensor: TensorProto) -> int:
    """Of its elements. Reading `raw_data` would copy them."""
    count: int = prod(tensor.dims)
    return count * element_size(tensor.data_type)


def _outside(tensor: TensorProto) -> bool:
    return _bytes(tensor) >= _ALIGNMENT


def _padding(size: int) -> int:
    return -size % _ALIGNMENT


def _contents(proto: ModelProto) -> Iterator[bytes]:
    for tensor in filter(_outside, proto.graph.initializer):
        yield tensor.raw_data
        yield bytes(_padding(_bytes(tensor)))


def _without_weights(proto: ModelProto, location: str) -> ModelProto:
    """A copy whose large tensors point into the file `location`."""
    light = ModelProto()
    for field, value in proto.ListFields():
        if field.name != "graph":
            _copy(light, field.name, value)
    for field, value in proto.graph.ListFields():
        if field.name != "initializer":
            _copy(light.graph, field.name, value)
    offset = 0
    for tensor in proto.graph.initializer:
        kept = light.graph.initializer.add()
        if not _outside(tensor):
            kept.CopyFrom(tensor)
            continue
        kept.name, kept.data_type = tensor.name, tensor.data_type
        kept.dims.extend(tensor.dims)
        kept.data_location = TensorProto.EXTERNAL
        length = _bytes(tensor)
        for key, entry in (("location", location), ("offset", str(offset)), ("length", str(length))):
            kept.external_data.add(key=key, value=entry)
        offset += length + _padding(length)
    return light


def _copy(into: object, field: str, value: object) -> None:
    held = getattr(into, field)
    if hasattr(held, "extend"):
        held.extend(value)
    else:
        setattr(into, field, value)
