"""Every operator, one class each, one file a family. Importing this package fills `Operator.registry`."""

from importlib import import_module
from os import listdir

from .base import Operator

# `pkgutil.iter_modules` does the same, and costs more than all these modules' code: it imports `inspect`.
for _file in sorted(listdir(__path__[0])):
    if _file.endswith(".py") and _file != "__init__.py":
        import_module(f"{__name__}.{_file[:-3]}")

__all__ = ["Operator"]
