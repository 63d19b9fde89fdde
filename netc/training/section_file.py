"""Execute the training file of a section, with whose functions `netc train` and `objective` compute.

In: a text of source/. Out: its functions as attributes. Always: exactly that text is executed, and tracebacks show its lines; a copy or a
pickle contains the text.

    >>> SectionFile("def double(x): return 2 * x").double(3)
    6
"""

from __future__ import annotations

import copyreg
import linecache
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from types import CodeType
from typing import Any

from torch import nn


class SectionFile:
    """The names that a text defines. `modules` replace its modules, such as constants that were moved to another device."""

    def __init__(self, text: str, modules: Mapping[str, nn.Module] = {}) -> None:
        self.text = text
        self.names = _execute_text(text)  # the globals of its functions
        self.names.update(modules)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules of the text."""
        return {name: value for name, value in self.names.items() if isinstance(value, nn.Module)}

    def has_function(self, name: str) -> bool:
        """Whether the file has this function."""
        return name in self.names

    def define_names(self, **values: Any) -> None:
        """Set global names of the functions, such as `run`, whose methods `train_step` calls."""
        self.names.update(values)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            function: Callable[..., Any] = self.names[name]
        except KeyError:
            raise AttributeError(f"the file of the section has no `{name}`") from None
        return function

    def __reduce__(self) -> tuple[Any, ...]:
        return SectionFile, (self.text, self.modules)


def _execute_text(text: str) -> dict[str, Any]:
    title = f"netc_train_{sha256(text.encode()).hexdigest()[:16]}"
    filename = f"<{title}>"
    # The title has a hash of the text: linecache and copyreg keep entries by it, and two files must not share one.
    names: dict[str, Any] = {"__name__": title}
    exec(_compile_text(text, filename), names)
    for cls in [value for value in names.values() if isinstance(value, type) and value.__module__ == title]:
        copyreg.pickle(cls, lambda instance: (_make_instance, (text, type(instance).__name__), vars(instance)))
    return names


@lru_cache(maxsize=64)
def _compile_text(text: str, filename: str) -> CodeType:
    """Compile the text. Cached: an editor checks the same settings at each key, and compiling takes longer than the rest of the check."""
    # Tracebacks and `inspect` find the lines of the text here. The None keeps linecache from looking for a file.
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    return compile(text, filename, "exec", dont_inherit=True)


def _make_instance(text: str, class_name: str) -> nn.Module:
    """Make an instance of a class of the text without its state, which pickle then sets."""
    cls: type[nn.Module] = _execute_text(text)[class_name]
    return cls.__new__(cls)
