"""Describes Flax NNX to the writer of Python: names, containers, registration.

Always: neither jax nor flax is imported. Lists that depend on the installed version are written here, and a test compares them with it.

    >>> from ...types.tensor_types import DTYPES
    >>> get_jax_dtype(DTYPES["bfloat16"]).text, get_jax_dtype(DTYPES["int64"]).text
    ('jnp.bfloat16', 'int')
"""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

from ...ops.normalization import BatchNorm, InstanceNorm, SpectralNormalize
from ...ops.regularization import AlphaDropout, ChannelDropout, DropPath, Dropping, Rrelu
from ...types.tensor_types import DType
from ..python.code.class_tree import DictCode, FrozenCode, ListCode, NameCode, PassedOn
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
from ..python.library_text import merge_definitions
from ..python.unsupported_python import TakenLabel

_IMPORTED = "jax jnp np nnx partial Callable Any rngs load"
_FAMILIES = (
    "variables layers linear convolution normalization attention rotary pooling indexing losses resampling spectra deformation sharding"
)
_WORDS = {
    "xp": "jnp",
    "np": "np",
    "fn": "jax.nn",
    "xp.stop_gradient": "jax.lax.stop_gradient",
    "xp.logsumexp": "jax.nn.logsumexp",
    "xp.rsqrt": "jax.lax.rsqrt",
    "xp.cummax": "jax.lax.cummax",
    "xp.cummin": "jax.lax.cummin",
    "Array": "jax.Array",
    "DType": "jax.typing.DTypeLike",
    "Dropout": "nnx.Dropout",
    "Module": "nnx.Module",
    "Param": "nnx.Param",
    "Rngs": "nnx.Rngs",
    "initializers": "nnx.initializers",
    "ops": "jax.ops",
    "Int": "int",
    "Bool": "bool",
}
"""JAX's words for the words of the shared definitions."""
DEFINITIONS = merge_definitions(_FAMILIES.split(), _WORDS, Path(__file__).parent / "library")
"""The definitions that emitted files may contain, by name, in the order in which a file has them."""

_OF_MODULES = """
    eval iter_children iter_modules perturb set_attributes sow train deterministic use_running_average _abc_impl _check_valid_context
    _check_value _graph_node_clear _graph_node_create_empty _graph_node_flatten _graph_node_init _graph_node_pop_key _graph_node_set_key
    _object__nodes _object__state _pytree__flatten _pytree__flatten_with_paths _pytree__has_int_keys _pytree__is_pytree _pytree__nodes
    _pytree__state _pytree__unflatten _setattr
"""
_OF_CONTAINERS = "clear get items keys pop popitem setdefault update values names _MutableMapping__marker _is_protocol"
"""The additional attributes of `nnx.Dict` and of `Sequential`."""
RNGS = PassedOn("rngs")
"""The random numbers that constructors take."""
ELLIPSIS = NameCode("...")


def _make_named_row(members: Pairs) -> Code:
    if all(label.isidentifier() for label, _ in members):
        return CallCode("Sequential", (), tuple(KeywordCode(label, code) for label, code in members))
    return call_function("Sequential", DictCode(tuple(members)))


def _make_parameter_dict(members: Pairs) -> Code:
    wrapped = [
        (key, _wrap_value("parameter", code.module if isinstance(code, FrozenCode) else code, not isinstance(code, FrozenCode)))
        for key, code in members
    ]
    return call_function("nnx.Dict", DictCode(tuple(wrapped)))


def get_submodule(module: Code, path: str) -> Code:
    """Access the module at a path. Modules under a number are items of a sequence, a list or a dictionary."""
    return reduce(_access_label, path.split("."), module)


def _access_label(module: Code, label: str) -> Code:
    if label.isidentifier():
        return AttributeCode(module, label)
    return Subscript(module, (Lit(int(label)) if label.isdecimal() and label == str(int(label)) else Lit(label),))


def _access_reserved(module: Code, label: str, how: MemberKind) -> Code:
    """Access a member that is no attribute: under a number. A word such as `train` is a method of every module."""
    if label.isidentifier():
        raise TakenLabel(label)
    return _access_label(module, label)


def _wrap_value(how: MemberKind, code: Code, trained: bool) -> Code:
    if how == "parameter":
        return call_function("nnx.Param" if trained else "Buffer", code)
    if how == "transient":
        return hold_constant(code)
    return call_function("Buffer", code) if how == "buffer" else code


def hold_constant(constant: Code) -> Code:
    """The value of an attribute for an array that is no variable. Without `nnx.data`, Flax takes the array of a module that is made under
    `jit` or `nnx.eval_shape` for a static value."""
    return call_function("nnx.data", constant)


def read_variable(variable: Code) -> Code:
    """The array of a parameter or buffer: `self.scale[...]`."""
    return Subscript(variable, (ELLIPSIS,))


def _compute_row_norms(parameter: Code, source: Code) -> tuple[Code, Code]:
    return read_variable(parameter), call_function("row_norms", read_variable(source))


_REGISTRATION = Registration(
    wrap_value=_wrap_value,
    register=lambda label, how, code: None,
    by_label=_access_reserved,
    forget=lambda module, label: NameCode("pass"),
    freeze=lambda module: call_function("freeze", module),
    norms=_compute_row_norms,
    start_buffers=lambda module, parameter: call_method(module, "start", read_variable(parameter)),
    calls_base=False,
)


def move_axis(tensor: Code, axis: int, to: int) -> Code:
    """Move an axis to another place, where it is not there already."""
    return tensor if axis == to else call_function("jnp.moveaxis", tensor, axis, to)


_CHANGING = (Dropping, AlphaDropout, ChannelDropout, DropPath, Rrelu, BatchNorm, InstanceNorm, SpectralNormalize)
"""Operators that draw random numbers or keep statistics in training. `jax.lax.scan` takes no function with such modules."""


FLAX = Framework(
    title="Flax",
    imports=(
        (r"\bjax\.", "import jax"),
        (r"\bjnp\.", "import jax.numpy as jnp"),
        (r"\bnp\.", "import numpy as np"),
        (r"\boptax\.", "import optax"),
        (r"\bnnx\.", "from flax import nnx"),
        (r"\bNamedSharding\(", "from jax.sharding import NamedSharding, PartitionSpec"),
        (r"\bsave_file\(", "from safetensors.flax import save_file"),
    ),
    imported=frozenset([*_IMPORTED.split(), *DEFINITIONS]),
    attributes=frozenset(_OF_MODULES.split()),
    container_attributes=frozenset(_OF_CONTAINERS.split()),
    definitions=DEFINITIONS,
    method="__call__",
    tensor="jax.Array",
    module="nnx.Module",
    shape="{}.shape",
    training="not self.deterministic",
    all_modules="nnx.iter_modules(self)",
    registration=_REGISTRATION,
    containers=Containers(
        row="Sequential",
        list_class="nnx.List",
        dict_class="nnx.Dict",
        named=_make_named_row,
        listed=lambda members: call_function("nnx.List", ListCode(members)),
        keyed=lambda members: call_function("nnx.Dict", *([DictCode(tuple(members))] if members else [])),
        parameters=_make_parameter_dict,
        scanned="ScannedLayers",
    ),
    by_path=get_submodule,
    widths=Widths(re.compile(r"(.*_)?(channels|features|dim)"), "in_channels", "in_features", "out_channels", "out_features"),
    identity="identity",
    unstack=lambda tensor, axis: move_axis(tensor, axis, 0),
    stack=lambda tensors, axis: call_function("jnp.stack", tensors, axis=axis),
    scan="jax.lax.scan",
    place_first=lambda tensor, axis: move_axis(tensor, 0, axis),
    changes_state=lambda op: isinstance(op, _CHANGING),
    passed_on={"rngs": "nnx.Rngs"},
    starts_mode="deterministic = False",
)


def get_jax_dtype(dtype: DType) -> FrameworkValue:
    """Return `jnp.float32` for the element type. 64-bit integers are JAX's default integers, which `jax_enable_x64` makes 64 bits wide."""
    return FrameworkValue({"int64": "int", "bool": "bool"}.get(dtype.name, f"jnp.{dtype.name}"), "jax.typing.DTypeLike")
