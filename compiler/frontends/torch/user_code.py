"""Code of a module while it runs: what it does to the process is undone.

In: nothing. Out: a context. Always: what is printed goes to standard error, since the text of a spec may go to standard output; the
settings of PyTorch are as they were; an attempt to end the program is an error like others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import torch


class EndsProgram(RuntimeError):
    """The code calls `sys.exit`."""


@contextmanager
def isolate_user_code() -> Iterator[None]:
    """See the module's docstring."""
    dtype, gradients, random = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state()
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit as error:
        raise EndsProgram(f"its code ends the program, with {error.code}") from error
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        torch.set_rng_state(random)
