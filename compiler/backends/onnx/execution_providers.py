"""Selects ONNX Runtime's execution providers for a device, and checks that they are available.

In: the name of a device. Out: providers. Always: a model runs on the device that was asked for, or an error is raised.

    >>> list_providers("cpu")
    ['CPUExecutionProvider']
    >>> list_providers("tpu")
    Traceback (most recent call last):
    ValueError: there is no device `tpu`: use `cpu` or `cuda`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO

import onnxruntime

_FATAL = 4
"""The most severe level of ONNX Runtime's log."""
_PROVIDERS = {"cpu": ("CPUExecutionProvider",), "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider")}
"""The providers of each device. Nodes without a kernel in the first one run in the next."""


class DeviceUnavailable(RuntimeError):
    """The requested device cannot be used. The text says what is missing."""


def list_providers(device: str) -> list[str]:
    """List the providers for a device. Raises ValueError for another word."""
    if device not in _PROVIDERS:
        known = " or ".join(f"`{name}`" for name in _PROVIDERS)
        raise ValueError(f"there is no device `{device}`: use {known}")
    wanted = _PROVIDERS[device]
    if wanted[0] not in onnxruntime.get_available_providers():
        raise DeviceUnavailable(
            f"this ONNX Runtime ({onnxruntime.__version__}) is built without {device.upper()}: "
            "install the package `onnxruntime-gpu` instead of `onnxruntime`"
        )
    if device == "cuda":
        onnxruntime.set_default_logger_severity(_FATAL)  # `check_device_used` reports what is wrong
        _preload_libraries()
    return list(wanted)


def get_device_provider(device: str) -> str:
    """Return the provider of a device."""
    return _PROVIDERS[device][0]


def _preload_libraries() -> list[str]:
    """Load the CUDA libraries that are installed as Python packages. Return the names of those that are not found."""
    if not hasattr(onnxruntime, "preload_dlls"):
        return []
    # ONNX Runtime prints failures instead of raising them.
    output = StringIO()
    with redirect_stdout(output):
        onnxruntime.preload_dlls()
    return re.findall(r"^Failed to load (\S+):", output.getvalue(), re.MULTILINE)


def check_device_used(device: str, active: Sequence[str]) -> None:
    """Raise `DeviceUnavailable` if a session that was made for `device` fell back to another."""
    if active[0] != get_device_provider(device):
        missing = _preload_libraries()
        explanation = f"; {', '.join(f'`{name}`' for name in missing)} cannot be found" if missing else ""
        raise DeviceUnavailable(
            f"ONNX Runtime could not start on {device.upper()}: it needs an NVIDIA driver with a GPU, "
            f"and the CUDA and cuDNN libraries of the version it was built with{explanation}"
        )
