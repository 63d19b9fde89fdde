"""OpenVINO's profile."""

from __future__ import annotations

from .runtime_profile import RuntimeProfile

OPENVINO = RuntimeProfile("openvino", "OpenVINO", 23)
