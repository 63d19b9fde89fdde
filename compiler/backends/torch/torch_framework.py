"""Describes PyTorch to the writer of Python: names, containers, registration.

Always: torch is not imported. Lists that depend on the installed version are written here, and a test compares them with it.

    >>> from ...types.tensor_types import DTYPES
    >>> get_torch_dtype(DTYPES["bfloat16"]).text, TORCH.make_variable_name("lambda")
    ('torch.bfloat16', 'lambda_')
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from ...types.tensor_types import FLOAT32, DType
from ..python.code.class_tree import DictCode, ListCode, NameCode, TrainingFlag
from ..python.code.framework import Containers, Framework, MemberKind, Pairs, Registration, Widths
from ..python.code.python_expressions import (
    AnyInput,
    AttributeCode,
    Code,
    Default,
    FrameworkValue,
    Lit,
    Method,
    Subscript,
    TupleCode,
    call_function,
    call_method,
)
from ..python.library_text import read_definitions

_LIBRARY = Path(__file__).parent / "library"
_IMPORTED = "torch nn F Tensor OrderedDict Callable partial wraps Any linear_sum_assignment checkpoint"
_FAMILIES = "modules gradients rotary deformation normalization linear losses"
DEFINITIONS = {name: text for family in _FAMILIES.split() for name, text in read_definitions(_LIBRARY / f"torch_{family}.py").items()}
"""The definitions that emitted files may contain, by name, in the order in which a file has them."""

_OF_MODULES = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval extra_repr float
    forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook
    register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict to to_empty train training type xpu zero_grad
    _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl _forward_hooks _forward_hooks_always_called
    _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks _get_name
    _is_full_backward_hook _load_from_state_dict _load_state_dict_post_hooks _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook
    _modules _named_members _non_persistent_buffers_set _parameters _register_load_state_dict_pre_hook _register_state_dict_hook
    _replicate_for_data_parallel _save_to_state_dict _slow_forward _state_dict_hooks _state_dict_pre_hooks _version _wrapped_call_impl
"""
_OF_CONTAINERS = "append clear extend insert items keys pop update values _get_item_by_idx"
"""The additional attributes of `nn.Sequential` and `nn.ModuleDict`."""
# `self.train = ...` or `add_module("train", ...)` would hide or fail on a method of every module.
_TAKEN = frozenset((_OF_MODULES + _OF_CONTAINERS).split())


def _make_named_row(members: Pairs) -> Code:
    pairs = tuple(TupleCode((Lit(label), code)) for label, code in members)
    return call_function("nn.Sequential", call_function("OrderedDict", ListCode(pairs)))


def _make_module_dict(members: Pairs) -> Code:
    return call_function("nn.ModuleDict", *([DictCode(tuple(members))] if members else []))


def _make_parameter_dict(members: Pairs) -> Code:
    return call_function("nn.ParameterDict", DictCode(tuple(members)))


def get_submodule(module: Code, path: str) -> Code:
    """Access the module at a path. `get_submodule` does not find a module whose label is an attribute that all modules have."""
    for plain, labels in groupby(path.split("."), lambda label: not label.startswith("__") and label not in _TAKEN):
        if plain:
            module = Method(module, "get_submodule", (Lit(".".join(labels)),))
        else:
            for label in labels:
                module = _access_registry(module, label)
    return module


_REGISTRIES: dict[MemberKind, str] = {"module": "_modules", "parameter": "_parameters", "buffer": "_buffers", "transient": "_buffers"}


def _access_registry(module: Code, label: str, how: MemberKind = "module") -> Code:
    """Access a member under a label that is no attribute name."""
    return Subscript(AttributeCode(module, _REGISTRIES[how]), (Lit(label),))


def _wrap_parameter(how: MemberKind, code: Code, trained: bool) -> Code:
    return call_function("nn.Parameter", code, requires_grad=Default(trained, True)) if how == "parameter" else code


def _register_buffer(label: str, how: MemberKind, code: Code) -> Code | None:
    # Assigning a module or parameter to an attribute registers it; a buffer needs the call.
    if how in ("module", "parameter"):
        return None
    return call_method(NameCode("self"), "register_buffer", label, code, persistent=Default(how == "buffer", True))


def _compute_row_norms(parameter: Code, source: Code) -> tuple[Code, Code]:
    # Assigned through `data`, so that the parameter stays a leaf for autograd.
    return AttributeCode(parameter, "data"), call_function("torch.norm_except_dim", AttributeCode(source, "data"))


_REGISTRATION = Registration(
    wrap_value=_wrap_parameter,
    register=_register_buffer,
    by_label=_access_registry,
    forget=lambda module, label: call_method(AttributeCode(module, "_non_persistent_buffers_set"), "add", label),
    freeze=lambda module: call_method(module, "requires_grad_", False),
    norms=_compute_row_norms,
    start_buffers=lambda module, parameter: call_method(module, "start", parameter),
)


TORCH = Framework(
    title="PyTorch",
    imports=(
        (r"\btorch\.", "import torch"),
        (r"\bF\.", "import torch.nn.functional as F"),
        (r"\blinear_sum_assignment\(", "from scipy.optimize import linear_sum_assignment"),
        ("", "from torch import Tensor, nn"),
        (r"\bcheckpoint\(", "from torch.utils.checkpoint import checkpoint"),
    ),
    imported=frozenset([*_IMPORTED.split(), *(name for name in DEFINITIONS if name.islower())]),
    attributes=frozenset(_OF_MODULES.split()),
    container_attributes=frozenset(_OF_CONTAINERS.split()),
    definitions=DEFINITIONS,
    method="forward",
    tensor="Tensor",
    module="nn.Module",
    shape="{}.shape",
    training="self.training",
    all_modules="self.modules()",
    registration=_REGISTRATION,
    containers=Containers(
        row="nn.Sequential",
        list_class="nn.ModuleList",
        dict_class="nn.ModuleDict",
        named=_make_named_row,
        listed=lambda members: call_function("nn.ModuleList", ListCode(members)),
        keyed=_make_module_dict,
        parameters=_make_parameter_dict,
    ),
    by_path=get_submodule,
    widths=Widths(re.compile(r"(.*_)?(channels|features|dim)"), "in_channels", "in_features", "out_channels", "out_features"),
    identity="nn.Identity",
    differentiating="with_gradients",
    # not `x[:, t]`: the gradient of each is a tensor of the size of `x`, so that training takes a time that grows with the square of T
    unstack=lambda tensor, axis: Method(tensor, "unbind", (Lit(axis),)),
    stack=lambda tensors, axis: call_function("torch.stack", tensors, dim=axis),
)

TRAINING = TrainingFlag("self.training")
DEVICE = AttributeCode(AnyInput(), "device")
"""The device that the tensors are on."""


def get_torch_dtype(dtype: DType) -> FrameworkValue:
    """Return `torch.float32` for the element type."""
    return FrameworkValue(f"torch.{dtype.name}", "torch.dtype")


def make_dtype_keyword(dtype: DType, default: DType = FLOAT32) -> Default:
    """Make the value of `dtype=`, which is left out where it is PyTorch's default."""
    return Default(get_torch_dtype(dtype), get_torch_dtype(default))
