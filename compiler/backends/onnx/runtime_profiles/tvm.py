"""TVM's profile, for its compiler for CPUs, as measured with TVM 0.27. Its importer of ONNX needs sizes that are numbers."""

from __future__ import annotations

from .runtime_profile import RuntimeProfile

TVM = RuntimeProfile(
    "tvm",
    "TVM",
    18,
    needs_sizes=True,
    differences=(
        "TVM's results for HiFi-GAN's generator differ from ONNX Runtime's by 2e-3, and the cause is not known. Compare your model first: "
        "`netc bench --against tvm` prints the difference.",
        "Only the networks below were run in IREE and TVM, not the cases of each operator.",
    ),
)
