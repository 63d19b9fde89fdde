"""TVM's profile, for its compiler for CPUs, as measured with TVM 0.27. Its importer of ONNX needs sizes that are numbers."""

from __future__ import annotations

from .runtime_profile import KnownDifference, RuntimeProfile

WITH_TANH = frozenset(
    {"expm1", "gelu", "glu", "gru_cell", "logsigmoid", "lstm_cell", "mish", "rnn_cell", "sigmoid", "silu", "softplus", "tanh", "tanhshrink"}
)
"""Operators of netc whose graphs have `Tanh`, `Sigmoid`, `Softplus` or `Mish`."""

TVM = RuntimeProfile(
    "tvm",
    "TVM",
    18,
    needs_sizes=True,
    differences=(
        KnownDifference(
            "TVM computes `tanh`, `sigmoid` and what netc writes with them to an absolute error of 3e-7, so results near 0 have few right "
            "digits, as in the generator of HiFi-GAN",
            WITH_TANH,
            is_rare=False,
        ),
    ),
)
