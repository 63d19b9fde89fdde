"""Questions about the types of Arrow's columns. pyarrow is imported only when one is asked.

>>> import pyarrow as pa
>>> find_element_dtype(pa.list_(pa.int16())), has_cells(pa.dictionary(pa.int8(), pa.string()))
(dtype('int16'), True)
"""

from __future__ import annotations

from typing import Any

import numpy as np


def find_element_dtype(type_: Any) -> np.dtype[Any] | None:
    """Return the NumPy type of the numbers in lists of any depth, or None if the elements are not numbers."""
    import pyarrow as pa

    type_ = find_storage_type(type_)
    if is_list(type_):
        return find_element_dtype(type_.value_type)
    if pa.types.is_boolean(type_):
        return np.dtype(bool)
    if pa.types.is_decimal(type_) or pa.types.is_null(type_):
        return np.dtype(np.float64)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        # Not `to_pandas_dtype()`, which needs pandas in older versions of pyarrow.
        dtype: np.dtype[Any] = pa.array([], type_).to_numpy(zero_copy_only=False).dtype
        return dtype
    return None


def find_storage_type(type_: Any) -> Any:
    """Return the type of the elements as they are, without extensions and dictionaries."""
    import pyarrow as pa

    while isinstance(type_, pa.BaseExtensionType) or pa.types.is_dictionary(type_):
        type_ = type_.value_type if pa.types.is_dictionary(type_) else type_.storage_type
    return type_


def find_parquet_type(type_: Any) -> Any:
    """Return the type with which Parquet stores cells of a type, without losing any."""
    import pyarrow as pa

    type_ = find_storage_type(type_)
    if pa.types.is_null(type_) or is_text(type_):
        return pa.large_string() if pa.types.is_large_string(type_) else pa.string()
    if pa.types.is_float16(type_):
        return pa.float32()
    # the views of bytes, of which older versions of pyarrow know nothing
    return pa.large_binary() if str(type_) == "binary_view" else type_


def has_cells(type_: Any) -> bool:
    """Whether the elements are texts or dates."""
    return is_text(find_storage_type(type_)) or is_date(find_storage_type(type_))


def is_text(type_: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def is_date(type_: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def is_picture(type_: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(type_) and {type_.field(i).name for i in range(type_.num_fields)} == {"bytes", "path"}


def is_list(type_: Any) -> bool:
    import pyarrow as pa

    while isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))
