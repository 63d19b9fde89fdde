"""Isolates the code of the user's module while it runs.

In: the module, unless the code is about to make it. Out: a context. Always: output goes to standard error, because the text of a spec may
go to standard output. The settings of PyTorch and the state of the module are restored, and an attempt to end the program raises
`EndsProgram`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import torch
from torch import nn

from .kept_state import keep_state


class EndsProgram(RuntimeError):
    """The code calls `sys.exit`."""


@contextmanager
def isolate_user_code(module: nn.Module | None = None) -> Iterator[None]:
    """Run the user's code within the context, and restore the process and the module afterwards."""
    dtype, gradients, random = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state()
    try:
        with redirect_stdout(sys.stderr), keep_state(module):
            yield
    except SystemExit as error:
        raise EndsProgram(f"its code ends the program, with {error.code}") from error
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        torch.set_rng_state(random)
