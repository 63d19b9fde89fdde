"""How each operator is computed piece by piece: a table keyed by the operator's class, filled by the modules here."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__, f"{__name__}."):
    import_module(module.name)
