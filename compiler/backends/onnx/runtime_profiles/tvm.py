"""TVM's profile, for its compiler for CPUs, as measured with TVM 0.27. Its importer of ONNX needs sizes that are numbers."""

from __future__ import annotations

from .runtime_profile import KnownDifference, RuntimeProfile

TVM = RuntimeProfile(
    "tvm",
    "TVM",
    18,
    needs_sizes=True,
    differences=(
        KnownDifference(
            "TVM may give other results, for an unknown reason: the generator of HiFi-GAN differs from ONNX Runtime by 2e-3; "
            "`netc bench --against tvm` prints the difference for your model",
            is_rare=False,
        ),
    ),
)
