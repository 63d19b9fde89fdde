"""Large models: the time and the memory of writing one to ONNX, drawn and from a checkpoint of up to 100 shards, against copying the file.

A Llama in float16 with layers of 7B's size. `python -m bench.size 32` is the whole model of 7B parameters: it writes 13.5 GB, and needs
27 GB of disk in the folder for temporary files.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from glob import glob
from typing import Any

from bench.process import ROOT, Figures, Sandbox, sandbox
from bench.result_table import Row, show

LAYERS = 4
"""2.1 GB, the least that is written to a file of its own."""
SHARDS = 100
_TURNED = "/Transpose"
"""What the names of weights end with that are stored as products take them."""
TIME, MEMORY = 2.0, 1.5
"""The limits: a multiple of the time that copying the file takes, and GB."""
COPY = "import os, shutil, sys; shutil.copyfile(*sys.argv[1:]); os.fsync(os.open(sys.argv[2], os.O_RDWR))"


def measure(sandbox: Sandbox, layers: int = LAYERS) -> Iterator[Row]:
    spec = str(ROOT / "specs" / "text" / "llama.net")
    sizes = {"width": 4096, "depth": layers, "heads": 32, "shared_heads": 32, "hidden": 11_008}
    settings = [word for name, value in sizes.items() for word in ("--set", f"{name}={value}")]
    command = ("-m", "netc", "compile", spec, "--model", "network", *settings, "--dtype", "float16", "-o", sandbox.file("m.onnx"))
    sandbox.run(("-m", "netc", "check", spec, "--model", "network", *settings))  # fills the caches
    yield from _rows("drawn", sandbox.run((*command, "--seed", "0")), _copied(sandbox))
    index = _shards(sandbox)
    yield from _rows("from shards", sandbox.run((*command, "--weights", index)), _copied(sandbox))


def _rows(what: str, netc: Figures, copy: Figures) -> Iterator[Row]:
    figures = f"{netc.wall:.1f} s, {netc.cpu:.1f} s of the CPU; copying {copy.wall:.1f} s"
    yield Row(f"Llama to ONNX, {what}: time", figures, netc.wall / copy.wall, TIME)
    yield Row(f"Llama to ONNX, {what}: peak memory in GB", f"{netc.peak / 1e6:.0f} MB", netc.peak / 1e9, MEMORY)


def _data(sandbox: Sandbox) -> str:
    (found,) = glob(sandbox.file("m.onnx.*.data"))
    return found


def _copied(sandbox: Sandbox) -> Figures:
    copy = sandbox.file("copy")
    figures = sandbox.run(("-c", COPY, _data(sandbox), copy))
    os.unlink(copy)
    return figures


def _shards(sandbox: Sandbox) -> str:
    """The model's tensors as a checkpoint in the format of transformers; the path of its index. The model is removed."""
    import onnx

    path = sandbox.file("m.onnx")
    tensors = list(onnx.load(path, load_external_data=False).graph.initializer)
    named = [tensor for tensor in tensors if not tensor.name.startswith("constant/")]
    count = min(SHARDS, len(named))
    homes: dict[str, str] = {}
    with open(_data(sandbox), "rb") as data:
        for number in range(count):
            name = f"model-{number + 1:05}-of-{count:05}.safetensors"
            _shard(sandbox.file(name), data, named[len(named) * number // count : len(named) * (number + 1) // count], homes, name)
    with open(sandbox.file("model.safetensors.index.json"), "w", encoding="utf-8") as index:
        json.dump({"metadata": {}, "weight_map": homes}, index)
    os.unlink(_data(sandbox))
    os.unlink(path)
    return sandbox.file("model.safetensors.index.json")


def _shard(path: str, data: Any, tensors: list[Any], homes: dict[str, str], name: str) -> None:
    header: dict[str, Any] = {}
    end = 0
    for tensor in tensors:
        begin, end = end, end + _length(tensor)
        own, shape = _in_checkpoint(tensor)
        header[own] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
        homes[own] = name
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            place = {entry.key: entry.value for entry in tensor.external_data}
            data.seek(int(place["offset"]))
            left = _length(tensor)
            while left:
                left -= file.write(data.read(min(left, 1 << 24)))
        os.fsync(file.fileno())


def _in_checkpoint(tensor: Any) -> tuple[str, list[int]]:
    """The name and the shape of a parameter. What is stored transposed keeps its numbers, which do not matter here, in their order."""
    own = tensor.name.removesuffix(_TURNED)
    return own, list(tensor.dims)[:: -1 if own != tensor.name else 1]


def _length(tensor: Any) -> int:
    return int(next(entry.value for entry in tensor.external_data if entry.key == "length"))


if __name__ == "__main__":
    with sandbox() as here:
        print(show(list(measure(here, int(sys.argv[1]) if len(sys.argv) > 1 else LAYERS))))
