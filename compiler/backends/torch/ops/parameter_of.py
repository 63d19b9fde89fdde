"""Writes parameters of other stages in PyTorch: attributes of their modules.

For example, `embed.weight` becomes `self.embed.weight`.
"""

from __future__ import annotations

from ....ops.parameter_of import ParameterOf
from ...python.code.class_tree import ParameterRef
from ...python.code.python_expressions import AttributeCode, Code, SelfMember
from ..torch_emitters import TorchSite, function
from ..torch_framework import get_submodule


@function(ParameterOf, target="an attribute of the module")
def emit_parameter_of(op: ParameterOf, site: TorchSite) -> Code:
    if op.path:
        return ParameterRef(op.path, op.parameter)
    path, _, name = op.parameter.rpartition(".")
    return AttributeCode(get_submodule(SelfMember(), path) if path else SelfMember(), name)
