"""The profiles of the runtimes that netc writes ONNX models for.

In: a name such as `openvino`. Out: its `RuntimeProfile`. Always: the order is the order in help and documentation. A profile is a file
here, and its line in `PROFILES`.

    >>> PROFILES["openvino"].title
    'OpenVINO'
"""

from __future__ import annotations

from .iree import IREE
from .openvino import OPENVINO
from .runtime_profile import RuntimeProfile
from .tract import TRACT
from .tvm import TVM

__all__ = ["PROFILES", "RuntimeProfile"]

PROFILES = {profile.name: profile for profile in (OPENVINO, TRACT, IREE, TVM)}
