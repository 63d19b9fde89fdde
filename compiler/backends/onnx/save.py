"""Writes models to files. Over two gigabytes, the limit of a protobuf message, weights go to a second file next to the first.

In: a model whose initializers are not read yet, and a path. Out: `NAME.onnx`, and `NAME.onnx.HASH.data` if it is needed. Always: a file is
written completely or not at all. At most a few tensors are in memory. Different weights have different hashes, so a graph never finds the
weights of another model, whenever writing stops. A model too large for the disk is refused before the first byte.

    >>> list(run_ahead([lambda: 1, lambda: 2]))
    [1, 2]
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from zlib import crc32

from netc.dsl.record import Record

from ...types.numpy_types import Array
from ...weights.buffer_pool import BufferPool
from ...weights.chunked_arrays import Allocator, make_contiguous
from ...weights.free_space import check_disk, check_memory
from ...weights.lazy_tensors import StoredTensor
from ..backend import WrongOutput
from .byte_stream import Chunk, InitializerStream, ModelStream, embed_initializer, iter_element_bytes, reference_initializer
from .direct_io import DirectFile
from .graph_and_tensors import GraphAndTensors
from .messages import ModelProto, TensorProto
from .onnx_types import element_code, element_name
from .quantizing.products import Product, find_products

if TYPE_CHECKING:
    from concurrent.futures import Future

LARGEST = 2_000_000_000
"""The most bytes of initializers in one file, with room for the nodes."""
_ALIGNMENT = 4096
"""Tensors start at pages, so that they can be mapped into memory. Smaller ones stay in the model."""
_BUFFER = 1 << 22
"""Bytes that are written at once, so that a thousand small tensors do not cost two thousand system calls."""

Progress = Callable[[int, int], None]
"""Called with the bytes written so far, and their total."""
OpenFile = Callable[[Path], BinaryIO | DirectFile]
"""Opens a new file for writing."""


def _open_with_buffer(path: Path) -> BinaryIO:
    return path.open("wb", _BUFFER)


class OnnxArtifact(Record):
    """A model that is not written yet."""

    graph: GraphAndTensors
    progress: Progress | None = None

    @property
    def nbytes(self) -> int:
        """The size of its initializers in bytes."""
        return sum(stored.nbytes for stored in self.graph.tensors.values())

    @property
    def is_large(self) -> bool:
        """Whether the model is too large for one message."""
        return self.nbytes > LARGEST

    def to_bytes(self) -> bytes:
        if self.is_large:
            raise WrongOutput("a model over 2 GB is two files, and cannot be written to a pipe")
        message = self._make_stream()
        check_memory(2 * message.size, "the model takes")
        return b"".join(message.iter_chunks())

    def save(self, path: str, lasting: bool = True) -> None:
        """Write the model. `lasting` is False for a file that is read at once, and removed."""
        if self.is_large:
            self._save_external(Path(path), DirectFile if lasting else _open_with_buffer)
        else:
            self._check_free_memory()
            message = self._make_stream()
            self._write_file(Path(path), message.iter_chunks(), message.size)

    def save_for_mapping(self, path: str) -> None:
        """Write a temporary file. Its weights are in a second file, which ONNX Runtime maps into memory instead of copying it."""
        self._save_external(Path(path), _open_with_buffer)

    def _check_free_memory(self) -> None:
        largest = nlargest(MOST_AT_ONCE, (stored.nbytes for stored in self.graph.tensors.values()))
        # A tensor is in memory twice while it is copied to C order.
        check_memory(max(2 * max(largest, default=0), sum(largest)), "its largest parameters take")

    def find_products(self) -> list[Product]:
        """Return the products with weights."""
        return find_products(
            self.graph.proto, {name: element_code(s.dtype) for name, s in self.graph.tensors.items() if s.dtype is not None}
        )

    def _make_stream(self) -> ModelStream:
        return ModelStream(self.graph.proto, [embed_initializer(name, stored) for name, stored in self.graph.tensors.items()])

    def _save_external(self, path: Path, opened: OpenFile) -> None:
        """Write large tensors to a file of their own."""
        self._check_free_memory()
        external = {name: stored for name, stored in self.graph.tensors.items() if stored.nbytes >= _ALIGNMENT}
        digest = blake2b(digest_size=8)
        unnamed = path.with_name(path.name + ".data")
        size = sum(s.nbytes + _count_padding(s.nbytes) for s in external.values())
        self._write_file(unnamed, _update_digest(_iterate_padded_chunks(external.values()), digest), size, opened)
        data = path.with_name(f"{path.name}.{digest.hexdigest()}.data")
        # The name has the hash of the content, so it is known only after writing. The graph comes last, when its data is in
        # place.
        os.replace(unnamed, data)
        message = ModelStream(self.graph.proto, list(self._iter_initializers(external, data.name)))
        write_atomically(path, message.iter_chunks())

    def _iter_initializers(self, external: dict[str, StoredTensor], location: str) -> Iterator[InitializerStream]:
        offset = 0
        for name, stored in self.graph.tensors.items():
            if name not in external:
                yield embed_initializer(name, stored)
                continue
            yield reference_initializer(name, stored, location, offset)
            offset += stored.nbytes + _count_padding(stored.nbytes)

    def _write_file(self, path: Path, chunks: Iterable[Chunk], size: int, opened: OpenFile = _open_with_buffer) -> None:
        check_disk(path.parent, size)
        write_atomically(path, chunks if self.progress is None else _report_progress(chunks, size, self.progress), opened)


def save_proto(proto: ModelProto, path: str | Path) -> None:
    """Write a model that is in memory to `path`."""
    OnnxArtifact(from_proto(proto)).save(str(path))


def from_proto(proto: ModelProto) -> GraphAndTensors:
    """Wrap a model that is in memory."""
    from onnx import numpy_helper

    light = ModelProto()
    light.CopyFrom(proto)
    del light.graph.initializer[:]

    def make_stored(tensor: TensorProto) -> StoredTensor:
        return StoredTensor(tuple(tensor.dims), element_name(tensor.data_type), lambda: numpy_helper.to_array(tensor))

    return GraphAndTensors(light, {tensor.name: make_stored(tensor) for tensor in proto.graph.initializer})


def write_atomically(path: Path, chunks: Iterable[Chunk], opened: OpenFile = _open_with_buffer) -> None:
    """Write a file under another name, and move it into place when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with opened(temporary) as file:
            for chunk in chunks:
                file.write(chunk)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _update_digest(chunks: Iterable[Chunk], digest: blake2b) -> Iterator[Chunk]:
    """Pass the chunks on, and add them to the digest."""
    # The digest is taken of the chunks' CRCs: one of all bytes would take longer than writing them.
    for chunk in chunks:
        digest.update(crc32(chunk).to_bytes(4, "little"))
        yield chunk


def _report_progress(chunks: Iterable[Chunk], total: int, progress: Progress) -> Iterator[Chunk]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        progress(done, total)


def _count_padding(size: int) -> int:
    return -size % _ALIGNMENT


def _read_contiguous(stored: StoredTensor, empty: Allocator) -> Array:
    """Read a tensor in C order. Drawing takes as long as writing, so the copy is made in the thread that draws."""
    return make_contiguous(stored.read(), empty)


def _iterate_padded_chunks(tensors: Iterable[StoredTensor]) -> Iterator[Chunk]:
    pool = BufferPool()
    for array in run_ahead(partial(_read_contiguous, stored, pool.allocate_array) for stored in tensors):
        yield from iter_element_bytes(array)
        yield bytes(_count_padding(array.nbytes))


# Work that other threads do while its results are used. In: functions. Out: their results, in order. Always: two results at most are made
# before they are asked for; what a function raises is raised where its result is asked for; when the results are no longer asked for,
# nothing runs any more.


T = TypeVar("T")
_AHEAD = 2
"""The number of threads, and of results that wait. Drawing a tensor takes longer than writing it."""
MOST_AT_ONCE = 1 + 2 * _AHEAD
"""The most tensors in memory: the one in use, and in each thread one and its copy."""


def run_ahead(functions: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Run functions in other threads, and yield their results in order."""
    from concurrent.futures import ThreadPoolExecutor  # imported here, because most models are written without it

    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting: deque[Future[T]] = deque()
        for function in functions:
            waiting.append(threads.submit(function))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
