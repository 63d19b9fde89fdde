"""Source text as a live module.

In: the text that `source` made. Out: an instance of one of its classes, from executing exactly that text. Always: tracebacks show the
text's lines; an instance that is pickled, or saved by `torch.save`, takes the text along, so that another process can load it.

Unpickling executes that text, as a pickle may execute anything: only load what you trust. `torch.load` refuses it, like every
other whole module, unless it is called with `weights_only=False`.
"""

from __future__ import annotations

import copyreg
import linecache
import sys
from hashlib import sha256
from types import ModuleType
from typing import Any

from torch import nn


def live(text: str, class_name: str, name: str = "") -> nn.Module:
    """An instance of the class. `name` is what tracebacks call the text: `<netc mlp.py>`; without one, they call it after the class."""
    module: nn.Module = getattr(load(text, name or class_name.lower()), class_name)()
    return module


def load(text: str, name: str) -> ModuleType:
    """The text as an imported module. The same text is the same module."""
    digest = sha256(text.encode()).hexdigest()
    title = f"netc_live_{digest[:16]}"
    if title in sys.modules:
        return sys.modules[title]
    filename = _filename(name, text)
    module = ModuleType(title)
    module.__file__ = filename
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    sys.modules[title] = module
    try:
        exec(compile(text, filename, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[title]
        raise
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == title:
            copyreg.pickle(cls, lambda instance: _reduced(instance, text, name))
    return module


def _reduced(instance: nn.Module, text: str, name: str) -> tuple[Any, ...]:
    """What pickle stores of an instance. Several instances share one text, which is stored once."""
    return blank, (text, name, type(instance).__name__), vars(instance)


def blank(text: str, name: str, class_name: str) -> nn.Module:
    """An instance of a class of the text, without its state: what pickle starts from."""
    cls: type[nn.Module] = getattr(load(text, name), class_name)
    return cls.__new__(cls)


def _filename(name: str, text: str) -> str:
    """A name under which no other text is known."""
    wanted, count = f"<netc {name}.py>", 1
    lines = text.splitlines(keepends=True)
    while wanted in linecache.cache and linecache.getlines(wanted) != lines:
        count += 1
        wanted = f"<netc {name}-{count}.py>"
    return wanted
