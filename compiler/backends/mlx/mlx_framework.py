"""Describes MLX to the writer of Python: names, containers, registration.

An `mlx.nn.Module` is a dictionary: a member under a label that is no attribute name, such as `0`, is its item.

Always: mlx is not imported. Lists that depend on the installed version are written here, and a test compares them with it.

    >>> from ...types.tensor_types import DTYPES
    >>> get_mlx_dtype(DTYPES["bfloat16"]).text, get_mlx_dtype(DTYPES["bool"]).text
    ('mx.bfloat16', 'mx.bool_')
"""

from __future__ import annotations

import re
from functools import reduce

from ...types.tensor_types import DType
from ..python.code.class_tree import DictCode, FrozenCode, ListCode, NameCode
from ..python.code.framework import Containers, Framework, MemberKind, Pairs, Registration, Widths
from ..python.code.python_expressions import (
    AttributeCode,
    CallCode,
    Code,
    FrameworkValue,
    KeywordCode,
    Lit,
    Subscript,
    call_function,
    call_method,
)
from ..python.unsupported_python import LackingWord
from .mlx_definitions import DEFINITIONS

_IMPORTED = "mx nn np partial Callable Any load"
_OF_MODULES = """
    apply apply_to_modules children clear copy eval filter_and_map freeze fromkeys get is_module items keys leaf_modules load_weights
    modules named_modules parameters pop popitem save_weights set_dtype setdefault state train trainable_parameter_filter
    trainable_parameters training unfreeze update update_modules valid_child_filter valid_parameter_filter values
    _extra_repr _no_grad _set_training_mode _training _validate_keys _validate_keys_recursive
"""
_OF_CONTAINERS = "_names"
"""The additional attributes of `Sequential`."""


def _make_named_row(members: Pairs) -> Code:
    if all(label.isidentifier() for label, _ in members):
        return CallCode("Sequential", (), tuple(KeywordCode(label, code) for label, code in members))
    return call_function("Sequential", DictCode(tuple(members)))


def _make_parameter_dict(members: Pairs) -> Code:
    if any(isinstance(code, FrozenCode) for _, code in members):
        raise LackingWord("a frozen parameter whose label has several levels")
    return DictCode(tuple(members))


def get_submodule(module: Code, path: str) -> Code:
    """Access the module at a path. Modules under a number are items of a sequence or a list."""
    return reduce(_access_label, path.split("."), module)


def _access_label(module: Code, label: str) -> Code:
    if label.isidentifier() and label not in FRAMEWORK_ATTRIBUTES:
        return AttributeCode(module, label)
    return Subscript(module, (Lit(int(label)) if label.isdecimal() and label == str(int(label)) else Lit(label),))


def _access_item(module: Code, label: str, how: MemberKind) -> Code:
    """Access a member that is no attribute. It is an item of the module, which only names that are attributes can freeze."""
    if how in ("buffer", "transient"):
        raise LackingWord(f"the label `{label}` of a tensor that is not trained")
    return Subscript(module, (Lit(label),))


def _wrap_value(how: MemberKind, code: Code, trained: bool) -> Code:
    return call_function("Constant", code) if how == "transient" else code


def _register_frozen(label: str, code: Code) -> Code:
    return call_function("register_buffer", NameCode("self"), label, code)


def _split_access(parameter: Code) -> tuple[Code, Code]:
    """Return the module and the name of `self.head.weight`."""
    match parameter:
        case AttributeCode(module, name):
            return module, Lit(name)
        case Subscript(module, (Lit() as key,)):
            return module, key
        case NameCode(text) if "." in text:
            module_text, _, name = text.rpartition(".")
            return NameCode(module_text), Lit(name)
    raise LackingWord("a tie of this parameter")


def _tie(target: Code, source: Code) -> Code:
    return call_function("tie", *_split_access(target), *_split_access(source))


FRAMEWORK_ATTRIBUTES = frozenset(_OF_MODULES.split())

_REGISTRATION = Registration(
    wrap_value=_wrap_value,
    register=lambda label, how, code: _register_frozen(label, code) if how == "buffer" else None,
    hold_frozen=_register_frozen,
    by_label=_access_item,
    freeze=lambda module: call_method(module, "freeze"),
    norms=lambda parameter, source: (parameter, call_function("row_norms", source)),
    start_buffers=lambda module, parameter: call_method(module, "start", parameter),
    tie=_tie,
)


def move_axis(tensor: Code, axis: int, to: int) -> Code:
    """Move an axis to another place, where it is not there already."""
    return tensor if axis == to else call_function("mx.moveaxis", tensor, axis, to)


MLX = Framework(
    title="MLX",
    imports=(
        (r"\bmx\.", "import mlx.core as mx"),
        (r"\bnn\.", "import mlx.nn as nn"),
        (r"\bnp\.", "import numpy as np"),
    ),
    imported=frozenset([*_IMPORTED.split(), *DEFINITIONS]),
    attributes=FRAMEWORK_ATTRIBUTES,
    container_attributes=frozenset(_OF_CONTAINERS.split()),
    definitions=DEFINITIONS,
    method="__call__",
    tensor="mx.array",
    module="nn.Module",
    shape="{}.shape",
    training="self.training",
    all_modules="self.modules()",
    registration=_REGISTRATION,
    containers=Containers(
        row="Sequential",
        list_class="ModuleList",
        dict_class="ModuleDict",
        named=_make_named_row,
        listed=ListCode,
        keyed=lambda members: DictCode(tuple(members)),
        parameters=_make_parameter_dict,
    ),
    by_path=get_submodule,
    widths=Widths(re.compile(r"(.*_)?(channels|features|dim)"), "in_channels", "in_features", "out_channels", "out_features"),
    identity="identity",
    unstack=lambda tensor, axis: move_axis(tensor, axis, 0),
    stack=lambda tensors, axis: call_function("mx.stack", tensors, axis=axis),
)


def get_mlx_dtype(dtype: DType) -> FrameworkValue:
    """Return `mx.float32` for the element type."""
    return FrameworkValue("mx.bool_" if dtype.name == "bool" else f"mx.{dtype.name}", "mx.Dtype")
