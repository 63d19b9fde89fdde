"""PyTorch's own count of multiply-adds, those of matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(run: Callable[[], object]) -> tuple[object, int]:
    """What `run` gives, and how many it took.

    Attention and recurrence are run as the products they are made of: of the fused kernels, PyTorch counts a few.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with ExitStack() as stack:
            for context in (torch.no_grad(), sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False)):
                stack.enter_context(context)
            counter = stack.enter_context(FlopCounterMode(display=False))
            result = run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return result, counter.get_total_flops() // 2  # it counts a multiply-add as two
