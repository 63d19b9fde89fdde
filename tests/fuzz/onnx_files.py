"""`python -m tests.fuzz.onnx_files`: ONNX files whose parts were changed, imported. Each is proved, or refused with what is wrong.

A file is a small one of ONNX's own suite, in which attributes have other types and values, nodes other inputs, tensors other shapes, and so
on: protobuf reads all of it, and most of it is no ONNX. One of eight is compared, in ONNX Runtime and PyTorch; the others are compiled.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import onnx
from onnx import AttributeProto, TensorProto, helper

from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.onnx_origin import make_onnx_origin
from netc.importing.output_judge import NotProved
from netc.importing.run_import import import_spec
from tests.fuzz.campaign import Found, main, silent, write_anew
from tests.onnx_suite.cases import cases

NUMBERS = (0, 1, -1, 2, 3, 7, 100, -7, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63))
WORDS = ("", "SAME_UPPER", "constant", "LEFT", "nearest", "é", "a" * 1000)
LARGEST = 20_000
"""Bytes of a file that is changed."""
COMPARED = 8
"""Of this number of files, one is compared."""


@cache
def originals() -> Sequence[bytes]:
    """Files with one node or a few."""
    warnings.simplefilter("ignore")
    found = [case.model.SerializeToString() for case in cases(KINDS)]
    return [content for content in found if len(content) <= LARGEST]


KINDS = ("pytorch-operator", "pytorch-converted", "simple", "node")


def check(random: Random, stem: str) -> Found:
    """One changed file, imported."""
    model = onnx.ModelProto.FromString(random.choice(originals()))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(CHANGES)(model, random)
    path = Path(f"{stem}.onnx")
    write_anew(path, model.SerializeToString())
    compared = random.randrange(COMPARED) == 0
    try:
        with silent(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_spec(make_onnx_origin(str(path), {}), verify=compared)
    except ImportFailed as failed:
        return Found("refused", "" if failed.obstacles else "no obstacle")
    except NotProved as error:
        return Found("not proved", error.what[:300])
    except Exception as error:  # whatever it is, it is no refusal
        return Found(type(error).__name__, f"{error!s:.300}")
    return Found("proved" if compared else "read")


# --- changes --------------------------------------------------------------------------------------------------------------------


def _node(model: onnx.ModelProto, random: Random) -> onnx.NodeProto:
    """Any node, also of a graph inside."""
    nodes = list(model.graph.node)
    for node in nodes:
        nodes += [inner for a in node.attribute for inner in a.g.node]
    return random.choice(nodes) if nodes else onnx.NodeProto()


def _names(model: onnx.ModelProto) -> list[str]:
    made = [name for node in model.graph.node for name in node.output]
    return [*made, *(i.name for i in model.graph.input), *(t.name for t in model.graph.initializer), "", "nothing"]


def change_attribute(model: onnx.ModelProto, random: Random) -> None:
    """Another value, of its type or of any."""
    node = _node(model, random)
    if not node.attribute:
        return add_attribute(model, random)
    attribute = random.choice(node.attribute)
    if random.random() < 0.5 and attribute.type == AttributeProto.INT:
        attribute.i = random.choice(NUMBERS)
    elif random.random() < 0.5 and attribute.type == AttributeProto.INTS:
        ints = [random.choice(NUMBERS) if random.random() < 0.4 else i for i in attribute.ints] + [1] * random.choice((0, 0, 1))
        attribute.ints[:] = ints[: random.choice((len(ints), len(ints), 1, 0))]
    else:
        attribute.CopyFrom(_attribute(attribute.name, random))
    return None


def _attribute(name: str, random: Random) -> AttributeProto:
    """An attribute of any type."""
    values: list[Any] = [random.choice(NUMBERS), random.choice((0.0, -1.5, 1e38, float("nan"), float("inf"))), random.choice(WORDS)]
    values += [[random.choice(NUMBERS) for _ in range(random.randrange(5))] or [0], [0.5, 2.0], ["a", "b"]]
    values += [helper.make_tensor("t", TensorProto.INT64, [2], [1, 2]), helper.make_graph([], "g", [], [])]
    return helper.make_attribute(name, random.choice(values))


def add_attribute(model: onnx.ModelProto, random: Random) -> None:
    names = ("axis", "axes", "perm", "to", "keepdims", "kernel_shape", "strides", "pads", "group", "mode", "body", "value", "unknown")
    _node(model, random).attribute.append(_attribute(random.choice(names), random))


def drop_attribute(model: onnx.ModelProto, random: Random) -> None:
    node = _node(model, random)
    if node.attribute:
        del node.attribute[random.randrange(len(node.attribute))]


def change_inputs(model: onnx.ModelProto, random: Random) -> None:
    """Others, more, fewer, or in another order."""
    node = _node(model, random)
    names = list(node.input)
    match random.randrange(4):
        case 0 if names:
            names[random.randrange(len(names))] = random.choice(_names(model))
        case 1:
            names.append(random.choice(_names(model)))
        case 2 if names:
            names.pop(random.randrange(len(names)))
        case _:
            random.shuffle(names)
    del node.input[:]
    node.input.extend(names)


def change_outputs(model: onnx.ModelProto, random: Random) -> None:
    node = _node(model, random)
    if node.output and random.random() < 0.5:
        node.output[random.randrange(len(node.output))] = random.choice(_names(model))
    else:
        node.output.append(random.choice(("more", "", *_names(model))))


def change_operator(model: onnx.ModelProto, random: Random) -> None:
    _node(model, random).op_type = random.choice(_operators())


@cache
def _operators() -> Sequence[str]:
    return sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})


def change_nodes(model: onnx.ModelProto, random: Random) -> None:
    """One fewer, one twice, or others first."""
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    match random.randrange(3):
        case 0 if nodes:
            nodes.pop(random.randrange(len(nodes)))
        case 1 if nodes:
            nodes.append(random.choice(nodes))
        case _:
            random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def change_input(model: onnx.ModelProto, random: Random) -> None:
    """Another element type, shape or name of an input or output of the graph."""
    infos = [*model.graph.input, *model.graph.output]
    if not infos:
        return
    info = random.choice(infos)
    kind, dims = info.type.tensor_type, info.type.tensor_type.shape.dim
    match random.randrange(6):
        case 0:
            kind.elem_type = random.choice((0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 16, 17, 21, 99))
        case 1 if dims:
            dims[random.randrange(len(dims))].dim_value = random.choice(NUMBERS)
        case 2 if dims:
            dims[random.randrange(len(dims))].dim_param = random.choice(("N", "seq", "2*N", "N/0", "", "層"))
        case 3 if dims:
            del dims[random.randrange(len(dims))]
        case 4:
            kind.ClearField("shape")
        case _:
            info.name = random.choice(_names(model))


def change_tensor(model: onnx.ModelProto, random: Random) -> None:
    """Another shape, type, name or content of a constant; an input that becomes one if there is none."""
    tensors = [*model.graph.initializer, *(a.t for node in model.graph.node for a in node.attribute if a.HasField("t"))]
    if not tensors:
        name = random.choice(_names(model))
        numbers = [random.choice(NUMBERS) for _ in range(random.randrange(4))]
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers))
        return
    tensor = random.choice(tensors)
    match random.randrange(4):
        case 0 if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(NUMBERS)
        case 1:
            tensor.data_type = random.choice((0, 1, 6, 7, 8, 9, 10, 11, 16, 99))
        case 2:
            tensor.raw_data = bytes(random.randrange(256) for _ in range(random.randrange(40)))
        case _:
            tensor.name = random.choice(_names(model))


def change_version(model: onnx.ModelProto, random: Random) -> None:
    if model.opset_import and random.random() < 0.8:
        random.choice(model.opset_import).version = random.choice((1, 6, 7, 9, 11, 13, 18, 23, onnx.defs.onnx_opset_version(), 0, 999))
    else:
        model.ir_version = random.choice((0, 1, 3, 8, 99))


CHANGES: Sequence[Callable[[onnx.ModelProto, Random], None]] = (
    *(change_attribute, change_attribute, change_attribute, add_attribute, drop_attribute, change_inputs, change_inputs),
    *(change_outputs, change_operator, change_nodes, change_input, change_input, change_tensor, change_version),
)


if __name__ == "__main__":
    sys.exit(main(check, "changed ONNX files"))
