"""Makes a live module from source text.

In: the text that `write_source` made. Out: an instance of one of its classes, made by executing exactly that text. Always: tracebacks show
the text's lines. An instance that is pickled, or saved by `torch.save`, contains the text, so that another process can load it.

Unpickling executes that text, as a pickle may execute anything: only load what you trust. `torch.load` refuses it, like every other
pickled module, unless it is called with `weights_only=False`.

    >>> import netc
    >>> netc.compile("input 3 -> dense 2 as fc").module()
    Net(
      (fc): Linear(in_features=3, out_features=2, bias=True)
    )
"""

from __future__ import annotations

import copyreg
import linecache
import sys
from collections import defaultdict
from hashlib import sha256
from threading import RLock
from types import ModuleType
from typing import Any

from torch import nn

from netc.dsl.record import Record

from ....analysis.input_shapes import SizeChecks, get_size_checks
from ....errors.target_errors import PackageNotInstalled, UnsupportedByTarget
from ....ir.graph import Program
from ....ir.ports import Port, make_input_ports
from .input_checks import add_input_checks


class EmittedSource(Record):
    """A text, with its name in tracebacks: `<netc mlp.py>`. Its class `main` is the class of the model, which takes `inputs` of sizes that
    pass the `checks`."""

    text: str
    name: str
    main: str
    inputs: tuple[Port, ...] = ()
    checks: SizeChecks | None = None

    def compute_digest(self) -> str:
        """Compute a digest that is equal for texts that behave the same."""
        return sha256(f"{self.text}{self.inputs}{self.checks}".encode()).hexdigest()


def make_live_module(text: str, class_name: str, name: str = "", program: Program | None = None) -> nn.Module:
    """Make an instance of the class that refuses inputs that do not fit. Without a `name`, tracebacks call the text after the class."""
    inputs, checks = (make_input_ports(program), get_size_checks(program)) if program is not None else ((), None)
    module: nn.Module = getattr(load_source(EmittedSource(text, name or class_name.lower(), class_name, inputs, checks)), class_name)()
    return module


def load_source(emitted: EmittedSource) -> ModuleType:
    """Import the text as a module. The same text gives the same module."""
    # The title has a digest of the text, so equal titles mean equal text.
    title = f"netc_live_{emitted.compute_digest()[:16]}"
    with _LOADING:  # another thread must not get a module whose text is still being executed
        return sys.modules[title] if title in sys.modules else _execute_source(emitted, title)


_LOADING = RLock()


def _execute_source(emitted: EmittedSource, title: str) -> ModuleType:
    text = emitted.text
    filename = _choose_filename(emitted.name, text)
    module = ModuleType(title)
    module.__file__ = filename
    # Tracebacks and `inspect.getsource` read lines from this cache; there is no file on disk.
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    sys.modules[title] = module
    try:
        exec(compile(text, filename, "exec", dont_inherit=True), module.__dict__)
    except ModuleNotFoundError as missing:
        del sys.modules[title]
        raise UnsupportedByTarget(PackageNotInstalled(str(missing.name).partition(".")[0])) from None
    # A module that failed to execute must not be found by the next call.
    except BaseException:
        del sys.modules[title]
        raise
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == title:
            # Pickle would look the class up by module and name, and another process has no such module.
            copyreg.pickle(cls, lambda instance: _reduce_instance(instance, emitted))
    add_input_checks(getattr(module, emitted.main), emitted.inputs, emitted.checks)
    return module


def _reduce_instance(instance: nn.Module, emitted: EmittedSource) -> tuple[Any, ...]:
    """Return the state that pickle stores for an instance. Several instances share one text, which is stored once."""
    return make_blank_instance, (emitted, type(instance).__name__), vars(instance)


def make_blank_instance(emitted: EmittedSource, class_name: str) -> nn.Module:
    """Make an instance of a class of the text without its state, for pickle to fill."""
    cls: type[nn.Module] = getattr(load_source(emitted), class_name)
    return cls.__new__(cls)


def _choose_filename(name: str, text: str) -> str:
    """Choose a name under which no other text is known: `<netc mlp.py>`, `<netc mlp-2.py>`, ..."""
    filenames = _FILENAMES[name]
    number = len(filenames) + 1
    return filenames.setdefault(sha256(text.encode()).digest(), f"<netc {name}-{number}.py>" if number > 1 else f"<netc {name}.py>")


_FILENAMES: defaultdict[str, dict[bytes, str]] = defaultdict(dict)
"""Names of files by the name of the model and the digest of the text. A search in `linecache` would take longer with every model."""
