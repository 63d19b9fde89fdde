"""PyTorch's own count of the multiply-adds of matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(run: Callable[[], object]) -> int:
    """How many `run` takes.

    Attention is run as the products it is made of: PyTorch counts few of the fused kernels. Those of recurrence stay uncounted, unless
    mkldnn is switched off.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() // 2  # it counts a multiply-add as two
