"""Serializes a model chunk by chunk, so that a reader never holds more than a few tensors in memory.

In: a model without initializers, and each initializer as an `InitializerStream`. Out: the bytes that protobuf gives for the full model.
Always: fields come in protobuf's order. A tensor is read only when its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from sys import byteorder
from typing import Any

import numpy as np

from netc.dsl.record import Record

from ...types.numpy_types import Array
from ...weights.chunked_arrays import split_into_contiguous_chunks
from ...weights.lazy_tensors import StoredTensor
from .messages import GraphProto, ModelProto, TensorProto
from .onnx_types import element_code

Chunk = bytes | memoryview
_LENGTH_DELIMITED = 2
_GRAPH = ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = GraphProto.INITIALIZER_FIELD_NUMBER


def _encode_tag(number: int) -> bytes:
    return _encode_varint(number << 3 | _LENGTH_DELIMITED)


def _encode_varint(number: int) -> bytes:
    """Encode an integer as protobuf does: seven bits in a byte, the lowest first, with the highest bit of a byte set if others follow.

    >>> _encode_varint(300)
    b'\\xac\\x02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_INITIALIZER_TAG = _encode_tag(_INITIALIZER)
_RAW_DATA_TAG = _encode_tag(TensorProto.RAW_DATA_FIELD_NUMBER)


class InitializerStream(Record):
    """A serialized initializer.

    `head` is the message up to its elements. `content` yields the `size` bytes of the elements; it is None if they are in another file.
    """

    head: bytes
    size: int = 0
    content: Callable[[], Iterator[Chunk]] | None = None


def embed_initializer(name: str, stored: StoredTensor) -> InitializerStream:
    """Make an initializer whose elements are in the model."""
    head, size = _make_header(name, stored).SerializeToString(deterministic=True), stored.nbytes
    return InitializerStream(head + _RAW_DATA_TAG + _encode_varint(size), size, lambda: iter_element_bytes(stored.read()))


def reference_initializer(name: str, stored: StoredTensor, location: str, offset: int) -> InitializerStream:
    """Make an initializer whose elements are in the file `location`."""
    tensor = _make_header(name, stored)
    tensor.data_location = TensorProto.EXTERNAL
    for key, entry in (("location", location), ("offset", str(offset)), ("length", str(stored.nbytes))):
        tensor.external_data.add(key=key, value=entry)
    return InitializerStream(tensor.SerializeToString(deterministic=True))


def iter_element_bytes(array: Array) -> Iterator[Chunk]:
    """Iterate over the elements, little-endian, as flat bytes."""
    for part in split_into_contiguous_chunks(array):
        yield (part if byteorder == "little" else part.byteswap()).reshape(-1).view(np.uint8).data


class ModelStream:
    """A serialized model. `size` is the number of its bytes."""

    def __init__(self, proto: ModelProto, pieces: Sequence[InitializerStream]) -> None:
        self._initializers = pieces
        self._heads = [_INITIALIZER_TAG + _encode_varint(len(piece.head) + piece.size) + piece.head for piece in pieces]
        """The bytes before the elements of each initializer."""
        self._graph_before, self._graph_after = _split_fields(proto.graph, _INITIALIZER)
        inner = sum(map(len, self._heads)) + sum(piece.size for piece in pieces)
        # A message begins with its length, so all sizes must be known before the first byte is written.
        graph = len(self._graph_before) + inner + len(self._graph_after)
        head, self._after = _split_fields(proto, _GRAPH)
        self._before = head + _encode_tag(_GRAPH) + _encode_varint(graph)
        self.size = len(self._before) + graph + len(self._after)

    def iter_chunks(self) -> Iterator[Chunk]:
        """Iterate over the bytes, in order."""
        yield self._before
        yield self._graph_before
        for piece, head in zip(self._initializers, self._heads, strict=True):
            yield head
            if piece.content is not None:
                yield from piece.content()
        yield self._graph_after
        yield self._after


def _split_fields(message: Any, number: int) -> tuple[bytes, bytes]:
    """Serialize the fields before and after one field, without itself."""
    fields = [field for field, _ in message.ListFields()]
    # Protobuf writes fields in the order of their numbers: so the bytes are the same as without streaming.
    before, after = ([f for f in fields if f.number < number], [f for f in fields if f.number > number])
    return _serialize_fields(message, before), _serialize_fields(message, after)


def _serialize_fields(message: Any, fields: Iterable[Any]) -> bytes:
    kept = type(message)()
    for field in fields:
        value, target = getattr(message, field.name), getattr(kept, field.name)
        if hasattr(target, "extend"):
            target.extend(value)
        else:
            setattr(kept, field.name, value)
    content: bytes = kept.SerializeToString(deterministic=True)
    return content


def _make_header(name: str, stored: StoredTensor) -> TensorProto:
    assert stored.dtype is not None
    return TensorProto(name=name, data_type=element_code(stored.dtype), dims=stored.shape)
