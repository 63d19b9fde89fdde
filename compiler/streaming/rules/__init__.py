"""Rules for computing each operator chunk by chunk: a table keyed by the operator's class, filled by the modules here."""

from importlib import import_module
from pkgutil import iter_modules

# Importing a module registers its rules, so a new file needs no entry anywhere.
for module in iter_modules(__path__, f"{__name__}."):
    import_module(module.name)
