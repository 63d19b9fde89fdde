"""Names of the emitted Python: which are free, which are taken or reserved.

In: labels, names of blocks and tensors as the spec has them. Out: identifiers that clash neither with each other, nor with Python, nor with
what the emitted file imports, nor with the attributes of `nn.Module`. Always: the same names come out for the same names, in the same
order.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Container, Iterable
from keyword import iskeyword, issoftkeyword

UNNAMED = frozenset({"", "in", "input"})
"""Names of tensors that the spec does not name."""
IMPORTED = frozenset({"math", "torch", "nn", "F", "Tensor", "OrderedDict", "Callable", "self", "apply_rotary", "apply_rotary_interleaved"})
"""The names that an emitted file may import, and those of its functions: no variable has them."""
_BUILTINS = frozenset(dir(builtins))

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
MODULE_ATTRIBUTES = frozenset(_OF_MODULES.split())
"""The attributes of every `nn.Module`. A test compares this with the installed PyTorch, which is not imported to emit source."""
CONTAINER_ATTRIBUTES = frozenset({"append", "clear", "extend", "insert", "items", "keys", "pop", "update", "values", "_get_item_by_idx"})
"""The additional attributes of `nn.Sequential` and `nn.ModuleDict`."""

_KERNEL = re.compile(r"\d+(x\d+)+")
"""A size of several axes, whose x is no letter."""


def plain(label: str) -> bool:
    """Whether `self.<label> = ...` can be used to register a member."""
    mangled = label.startswith("__")
    return label.isidentifier() and not iskeyword(label) and not mangled and label not in MODULE_ATTRIBUTES


def numbered(labels: Iterable[str]) -> bool:
    """Whether the labels are 0, 1, 2, ..."""
    return all(label == str(i) for i, label in enumerate(labels))


def camel(name: str) -> str:
    """`basic_block` as the name of a class: `BasicBlock`. Never empty.

    Numbers stay apart, and letters after a number are capitals, as in torchvision's names: `Llama2_7B`, `Resnext50_32X4D`, `Conv1x1`.
    """
    joined = ""
    for word in re.findall(r"[A-Za-z0-9]+", name):
        number = word[0].isdigit()
        apart = "_" if number and joined[-1:].isdigit() else ""
        joined += apart + (word.upper() if number and not _KERNEL.fullmatch(word) else word[0].upper() + word[1:])
    if not joined:
        return "Block"
    return joined if not joined[0].isdigit() else f"Net{joined}"


def singular(label: str) -> str:
    """`layers` as the name of one of them: `layer`. Words that are not plurals stay."""
    if len(label) > 3 and label.endswith("ies"):
        return label[:-3] + "y"
    if len(label) > 3 and label.endswith(("ches", "shes", "xes")):
        return label[:-2]
    if len(label) > 3 and label.endswith("s") and not label.endswith(("ss", "us", "is")):
        return label[:-1]
    return label


def local(name: str) -> str:
    """`name` as a variable: an input that has no name of its own is `x`; what Python or the imports use gets an underscore."""
    name = re.sub(r"\W", "_", name)
    if name in UNNAMED:
        return "x"
    if name[0].isdigit():
        name = f"_{name}"
    taken = iskeyword(name) or issoftkeyword(name) or name in IMPORTED or name in _BUILTINS
    return f"{name}_" if taken else name


def unique(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or with the first number appended that makes it new: `x`, `x2`, `x3`."""
    if wanted not in taken:
        return wanted
    stem = wanted.rstrip("0123456789") or wanted
    joint = "_" if stem != wanted else ""
    name, count = wanted, 2
    while name in taken:
        name = f"{wanted}{joint}{count}"
        count += 1
    return name


def spaced(text: str) -> str:
    """With spaces around `*` and `//`, as a formatter writes them."""
    return re.sub(r"(?<=[\w)}\]])(//|\*)(?=[\w({])", r" \1 ", text)
