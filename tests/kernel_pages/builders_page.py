"""Reads the operators that a provider of ONNX Runtime registers op builders for, such as Core ML's.

>>> read_builders('CreateUnaryOpBuilder("Erf", op_registrations);')
{'Erf': 'Unary'}
>>> read_coreml_operators('CreateUnaryOpBuilder("Erf", registrations); CreateOldOpBuilder("Flatten", registrations);', {"unary": True})
{'Erf': 'float32,float16,int64'}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_BUILDER = re.compile(r'Create(\w+)OpBuilder\("(\w+)"')
_TYPES = "float32,float16,int64"
"""`BaseOpBuilder::IsInputDtypeSupport`, for ML Programs."""
_OWN_TYPES = {
    "Cast": "float32,float16,int64,int32",
    "GroupNormalization": "float32,float16",
    "InstanceNormalization": "float32,float16",
    "LayerNormalization": "float32,float16",
    "Shape": "float32,float16,int64,int32",
}
"""`HasSupportedInputsImpl` of the builders that have their own."""


def read_builders(factory: str) -> dict[str, str]:
    """Return the kinds of builders by operator, from op_builder_factory.cc."""
    return {op_type: kind for kind, op_type in _BUILDER.findall(factory)}


def read_coreml_operators(factory: str, has_program: Mapping[str, bool]) -> dict[str, str]:
    """Return the element types of the operators that ML Programs have. `has_program`: which kinds of builders support ML Programs."""
    builders = sorted(read_builders(factory).items())
    return {op_type: _OWN_TYPES.get(op_type, _TYPES) for op_type, kind in builders if has_program.get(kind.lower())}


def find_programs(folder: Path) -> dict[str, bool]:
    """Find which kinds of builders support ML Programs, from the sources of the builders."""
    texts = {path.name.removesuffix("_op_builder.cc"): path.read_text(encoding="utf-8") for path in folder.glob("*_op_builder.cc")}
    # `batch_norm_op_builder.cc` registers itself as `BatchNormalization`
    kinds = ((re.findall(r"void Create(\w+)OpBuilder\(", text), text) for text in texts.values())
    return {kind.lower(): "SupportsMLProgram() const override { return true; }" in text for names, text in kinds for kind in names}
