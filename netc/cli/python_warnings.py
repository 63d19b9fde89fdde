"""Warnings of Python, as a command shows them: in one line, as other diagnostics are shown.

In: what netc, NumPy, PyTorch and others pass to `warnings`. Out: lines on standard error. Always: no line names a file of an installed
package; what only programmers can change, such as a deprecation, is left out; each sentence is shown once in a command. Who asks for
Python's warnings, with `-W` or PYTHONWARNINGS, gets those of others as Python shows them.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FOR_PROGRAMMERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning, SyntaxWarning)
_PLACE = " (Triggered internally"
"""What PyTorch ends a warning with: a file of its own source."""


@contextmanager
def warnings_shown() -> Iterator[None]:
    """See the module's docstring. Entering the context makes Python forget which warnings it has shown."""
    with warnings.catch_warnings():
        others = warnings.showwarning
        shown: set[str] = set()

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            from netc.compiler.errors.weight_errors import WeightsNote, WeightsWarning

            if sys.warnoptions and not issubclass(category, (WeightsNote, WeightsWarning)):
                others(message, category, *where)
                return
            sentence = _sentence(str(message))
            if sentence in shown or issubclass(category, _FOR_PROGRAMMERS):
                return
            shown.add(sentence)
            _line("note" if issubclass(category, WeightsNote) else "warning", sentence)

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _sentence(text: str) -> str:
    """The first paragraph, in one line."""
    return " ".join(text.partition(_PLACE)[0].strip().partition("\n\n")[0].split())


def _line(title: str, sentence: str) -> None:
    from .terminal import note, styled, visible

    note(f"{styled(title, {'note': 'cyan', 'warning': 'yellow'}[title])}: {visible(sentence)}")
