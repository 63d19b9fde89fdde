"""Load plugins: modules that define operators, which the user names or an installed package offers.

In: the name of a module, or the entry points of installed packages. Out: all of its operators in the registry, or a `PluginError` and none
of them. Always: nothing that a spec names is imported.

    >>> load_plugin("no_such_module")
    Traceback (most recent call last):
    netc.plugin_loading.PluginError: cannot load the plugin `no_such_module`: ModuleNotFoundError: No module named 'no_such_module'
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from functools import cache
from importlib import import_module

from netc.compiler.errors.plugin_errors import PluginMistake
from netc.compiler.ops import Operator
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

GROUP = "netc.operators"
"""The group of entry points whose values are modules with operators."""

_OF_NAMES = ("unknown-operator", "unknown-name", "too-many-arguments")
"""Errors of names that an installed plugin may know. `dense 2 snake` has too many arguments until `snake` is an activation."""


_packages: set[str] = set()
"""The packages, or single modules, of the plugins that were loaded."""


class PluginError(Exception):
    """A plugin cannot be loaded, or one of its operators cannot be used."""


def load_plugin(name: str) -> None:
    """Import a plugin by the name of its module, from Python's path or from the current folder. Raises `PluginError`."""
    before, path = set(Operator.registry), list(sys.path)
    _packages.add(name.partition(".")[0])
    sys.path.append("")  # last, so that no file in the current folder replaces an installed module
    try:
        import_module(name)
        _check_operators(Operator.registry[word] for word in Operator.registry if word not in before)
    except (PluginError, PluginMistake) as error:
        _restore_registry(before)
        raise PluginError(f"cannot use the plugin `{name}`: {error}") from None
    except (Exception, SystemExit) as error:  # a script that was no plugin may end with `sys.exit`
        _restore_registry(before)
        raise PluginError(f"cannot load the plugin `{name}`: {type(error).__name__}: {error}") from error
    finally:
        sys.path[:] = path


def load_for_unknown_names(diagnostics: Iterable[Diagnostic]) -> bool:
    """Load the plugins of installed packages if a name in these diagnostics may be theirs. Return whether to elaborate again. Raises
    `PluginError`."""
    return any(d.code in _OF_NAMES for d in diagnostics) and load_installed_plugins()


@cache
def load_installed_plugins() -> bool:
    """Load the plugins of installed packages, once. Return whether there are new operators. Raises `PluginError`."""
    from importlib.metadata import entry_points  # importing it takes longer than checking a small spec

    before = len(Operator.registry)
    for value in sorted({point.value for point in entry_points(group=GROUP)}):
        load_plugin(value)
    return len(Operator.registry) > before


def find_plugin_line(error: Exception) -> str | None:
    """Return the file and line of a plugin, if an exception was raised in its code or in code that it called."""
    from traceback import walk_tb  # only an error needs it

    for frame, line in reversed(list(walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _packages:
            return f"{frame.f_code.co_filename}:{line}"
    return None


def _check_operators(operators: Iterable[type[Operator]]) -> None:
    from netc.compiler.backends.torch.torch_emitters import EMITTERS  # `netc check` needs no backend

    for operator in operators:
        what = f"the operator `{operator.name}`"
        if not operator.name.isidentifier() or parse_source(SourceFile("", f"input 3 -> {operator.name}\n"))[1]:
            raise PluginError(f"{what} cannot be written in a spec: its name must be an identifier that is no word of the language")
        if not (operator.__doc__ or "").strip():
            raise PluginError(f"{what} has no docstring, whose first line says in `netc ops` what it does")
        if not operator.operands:
            raise PluginError(f"{what} declares no input, such as `x = Input()`")
        if operator not in EMITTERS.names and not operator.has_definition():
            decorated = f"a function or module decorated with `@pytorch({operator.__name__})`"
            raise PluginError(f"{what} has no `definition`, and no PyTorch form: {decorated}")


def _restore_registry(names: Collection[str]) -> None:
    for added in [name for name in Operator.registry if name not in names]:
        Operator.registry.remove(added)
