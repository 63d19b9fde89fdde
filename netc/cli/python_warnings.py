"""Show Python's warnings as a command shows its own: in one line.

In: the warnings of netc, NumPy, PyTorch and other packages. Out: lines on standard error. Always: no line names a file of an installed
package. A warning that only a programmer can act on, such as a deprecation, is left out, and each sentence is shown once in a command.
With `-W` or PYTHONWARNINGS, Python shows the warnings of other packages in its own way.

    >>> _get_first_paragraph("The operator is slow on this CPU. (Triggered internally at Loss.cpp:12)")
    'The operator is slow on this CPU.'
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FOR_PROGRAMMERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning, SyntaxWarning)
_PYTORCH_LOCATION = " (Triggered internally"
"""The beginning of the last part of PyTorch's warnings, which names a file of its C++ source."""


@contextmanager
def reformat_warnings() -> Iterator[None]:
    """Show warnings in one line within the context. Entering it makes Python forget which warnings it has shown."""
    with warnings.catch_warnings():
        others = warnings.showwarning
        shown: set[str] = set()

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            from netc.compiler.errors.weight_errors import WeightsNote, WeightsWarning

            if sys.warnoptions and not issubclass(category, (WeightsNote, WeightsWarning)):
                others(message, category, *where)
                return
            sentence = _get_first_paragraph(str(message))
            if sentence in shown or issubclass(category, _FOR_PROGRAMMERS):
                return
            shown.add(sentence)
            _write_line("note" if issubclass(category, WeightsNote) else "warning", sentence)

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _get_first_paragraph(text: str) -> str:
    """Return the first paragraph of a warning in one line."""
    return " ".join(text.partition(_PYTORCH_LOCATION)[0].strip().partition("\n\n")[0].split())


def _write_line(title: str, sentence: str) -> None:
    from .terminal import style_word, to_printable, write_status

    write_status(f"{style_word(title, {'note': 'cyan', 'warning': 'yellow'}[title])}: {to_printable(sentence)}")
