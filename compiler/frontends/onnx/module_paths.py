"""Finds the module that each node of a file came from.

Three exporters say so: PyTorch's in the metadata `pkg.torch.onnx.name_scopes`, its older one in names such as
`/layer1/layer1.0/conv1/Conv`, and netc in names such as `layer1.0.relu1` and `layer1.0.conv1/Transpose`.

In: nodes. Out: the path of the module that each is part of, and the classes of modules. Always: metadata is data. At worst it gives no
path.
"""

from __future__ import annotations

import ast

import onnx

from .onnx_names import find_first_name, split_levels

ModulePath = tuple[str, ...]
_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_LONGEST = 10_000


class ModulePaths:
    """The known modules. The record grows with each node that is looked up."""

    def __init__(self) -> None:
        self.classes: dict[ModulePath, str] = {}
        """The class names of modules by their paths."""

    def find_path(self, node: onnx.NodeProto) -> ModulePath:
        """Return the path of the module that a node is part of, or the node's own path if it is a stage itself."""
        stated = {entry.key: entry.value for entry in node.metadata_props if entry.key in (_SCOPES, _CLASSES)}
        names, classes = _parse_list(stated.get(_SCOPES, "")), _parse_list(stated.get(_CLASSES, ""))
        if len(names) > 1:
            # The first entry is the model itself, and the last one the node.
            for name, cls in zip(names[1:-1], classes[1:-1], strict=False):
                self.classes.setdefault(tuple(split_levels(name)), cls.rpartition(".")[2])
            return tuple(split_levels(names[-2]))
        name = find_first_name(node.name)
        if name.startswith("/"):
            return tuple(split_levels(name.rpartition("/")[0]))
        if "." in name or "/" in name:
            return tuple(split_levels(name.rpartition("/")[0] if "/" in name else name))
        return ()


def _parse_list(text: str) -> list[str]:
    """Parse a list of strings in Python's notation."""
    # The parser of Python takes memory in proportion to the text, which the file decides.
    if not text.startswith("[") or len(text) > _LONGEST:
        return []
    try:
        items = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
