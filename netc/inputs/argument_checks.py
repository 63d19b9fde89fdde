"""Check the arguments of the Python API, and bring them into the form that the rest of netc takes.

In: an argument, whose type argument_types.py has checked if the annotation names it. Out: the checked value, or a `TypeError` or
`ValueError` that says which value is allowed. The command line checks its options with the same functions.

    >>> check_precision("half").dtype.name, check_seed(None)
    ('float16', 0)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING

from netc.compiler.backends.backend_names import OPSET, OPSETS
from netc.compiler.dims.where_conditions import CONDITIONS_KEY
from netc.compiler.elaborate.model_precision import FULL, Precision
from netc.compiler.types.tensor_types import DTYPES, TYPE_ALIASES

if TYPE_CHECKING:
    from netc.compiler.backends.backend import GraphOptions

FLOAT_NAMES = tuple(name for name, dtype in DTYPES.items() if dtype.is_float)
"""The element types that a model can have."""
QUANTIZATION_METHODS = ("int8", "int4")
"""The ways to quantize a model, the usual one first."""
RUNTIMES = ("onnxruntime-genai",)
"""The runtimes that generate text from a streaming model."""
TRANSFORMERS_TASKS = ("causal-lm", "masked-lm", "image-classification")
"""The tasks of folders for transformers."""
MAX_SEED = 2**63 - 1
MAX_LOOKAHEAD = 2**31 - 1
"""The largest look-ahead of a stream, in positions."""


def check_seed(seed: int | None) -> int:
    """Return a seed, by default 0."""
    if seed is None:
        return 0
    if not 0 <= int(seed) <= MAX_SEED:
        raise ValueError(f"a seed must be from 0 to 2**63 - 1, not {seed}")
    return int(seed)


def check_path(path: object, what: str = "a path") -> str:
    """Return a path as a str."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{what} must be a str or a path, not {_get_type_name(path)}")
    shown = os.fspath(path)
    return os.fsdecode(shown) if isinstance(shown, bytes) else shown


def check_paths(paths: object) -> tuple[str, ...]:
    """Return the paths of folders as strs."""
    # a single string is iterable too: each of its characters would be a folder
    if isinstance(paths, str | bytes | os.PathLike) or not isinstance(paths, Iterable):
        raise TypeError(f"allow_paths must be several paths, such as a list, not {_get_type_name(paths)}")
    return tuple(check_path(path, "a path of allow_paths") for path in paths)


def check_params(params: Mapping[str, object] | None) -> dict[str, object]:
    """Return values for the parameters of a model: numbers, bools, strings and tuples of them."""
    return {name: _normalize_value(value, name) for name, value in _check_mapping(params, "params").items()}


def check_dims(dims: Mapping[str, object] | None) -> dict[str, int]:
    """Return sizes for symbolic dimensions."""
    sizes: dict[str, int] = {}
    for name, size in _check_mapping(dims, "dims").items():
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise TypeError(f"dims: the size of {name!r} must be an integer, not {_get_type_name(size)}")
        if size < 1:
            raise ValueError(f"dims: the size of {name!r} must be at least 1, not {size}")
        sizes[name] = int(size)
    return sizes


def check_spec_text(text: object) -> str:
    """Return the text of a spec. A path, or a single word that ends in `.net`, is an error that names `compile_file`."""
    if isinstance(text, os.PathLike):
        raise TypeError("compile takes the text of a spec; compile_file takes a path")
    if not isinstance(text, str):
        raise TypeError(f"the text of a spec must be a str, not {_get_type_name(text)}")
    if text.endswith(".net") and len(text.split()) == 1:
        raise ValueError(f"compile takes the text of a spec; for a file, call compile_file({text!r})")
    return text


def check_precision(dtype: object, keep_io: bool = False) -> Precision:
    """Return the precision of a model. `dtype` is a name, or an element type of PyTorch or NumPy."""
    if dtype is None and keep_io:
        raise ValueError("keep_io needs a dtype, which sets the type of the rest of the model")
    if dtype is None:
        return FULL
    # `str(torch.float16)` is "torch.float16", and `np.float16.__name__` is "float16": neither library is imported to check
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or str(dtype).removeprefix("torch.")
    element_type = DTYPES.get(TYPE_ALIASES.get(name, name))
    if element_type is None or not element_type.is_float:
        raise ValueError(f"dtype must be one of {', '.join(FLOAT_NAMES)}, not {dtype!r}")
    return Precision(element_type, keep_io)


RESERVED_METADATA = ("spec_hash", "netc_version", "netc_signature", CONDITIONS_KEY)
"""The names of metadata that netc itself writes into a file."""


def check_metadata(metadata: Mapping[str, object] | None) -> tuple[tuple[str, str], ...]:
    """Return metadata as pairs of a name and a text."""
    for name, text in (texts := _check_mapping(metadata, "metadata")).items():
        if not isinstance(text, str):
            raise TypeError(f"metadata: {name!r} must be a str, not {_get_type_name(text)}")
        if not name or name in RESERVED_METADATA:
            raise ValueError(f"metadata: {name!r} is written by netc" if name else "metadata: a name is empty")
        try:  # protobuf stores UTF-8, which has no lone surrogates
            (name + text).encode()
        except UnicodeEncodeError:
            raise ValueError(f"metadata: {name!r} is no text in UTF-8") from None
    return tuple((name, str(text)) for name, text in texts.items())


def check_graph_options(
    opset: int | None = None,
    optimize: bool = True,
    metadata: Mapping[str, object] | None = None,
    functions: bool = False,
    runtime: str | None = None,
) -> GraphOptions:
    """Return the options of an ONNX graph. Without an opset, it is the one that the runtime takes."""
    from netc.compiler.backends.backend import GraphOptions
    from netc.compiler.backends.onnx.runtime_profiles import PROFILES

    texts = check_metadata(metadata)
    if runtime is not None and runtime not in PROFILES:
        raise ValueError(f"the runtime must be one of {', '.join(PROFILES)}, not {runtime!r}")
    if opset is not None and int(opset) not in OPSETS:
        raise ValueError(f"an opset must be from {OPSETS[0]} to {OPSETS[-1]}, not {opset}")
    usual = OPSET if runtime is None else PROFILES[runtime].opset
    return GraphOptions(usual if opset is None else int(opset), optimize, texts, functions, runtime or "")


def check_name(name: object, what: str) -> str | None:
    """Return a name, or None."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{what} must be a str, not {_get_type_name(name)}")
    return name


def _check_mapping(values: Mapping[str, object] | None, what: str) -> dict[str, object]:
    if values is None:
        return {}
    wrong = next((name for name in values if not isinstance(name, str)), None)
    if wrong is not None:
        raise TypeError(f"{what}: a name must be a str, not {_get_type_name(wrong)}")
    return dict(values)


def _normalize_value(value: object, name: str) -> object:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_normalize_value(item, name) for item in value)
    if isinstance(value, Integral):  # NumPy's scalars
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"params: the value of {name!r} must be a number, a bool, a string or a list of them, not {_get_type_name(value)}")


def _get_type_name(value: object) -> str:
    return f"{type(value).__name__}"
