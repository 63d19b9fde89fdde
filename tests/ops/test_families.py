"""The names of operators by family, by which `Operator.registry` knows what to import. `--update` writes them anew."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import netc.compiler.ops as package
from netc.compiler.ops import Operator

HERE = Path(package.__file__).parent
HEAD = '''"""The operators of each family, in the order of their definition, and those that are symbols: between and before tensors.

Always: `pytest tests/ops/test_families.py --update` writes this.

    >>> SYMBOLS["+"], "relu" in FAMILIES["activation"].split()
    ('add', True)
"""

FAMILIES = {
'''


def text() -> str:
    """What families.py has to be: what the modules define."""
    modules = [import_module(f"{package.__name__}.{path.stem}") for path in sorted(HERE.glob("*.py")) if path.stem != "__init__"]
    rows = []
    for module in modules:
        own = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Operator) and c.__module__ == module.__name__]
        names = [cls.name for cls in own if cls.name in Operator.registry and Operator.registry[cls.name] is cls]
        if names:
            rows.append(f'    "{module.__name__.rpartition(".")[2]}": {quoted(" ".join(names))},\n')
    made = f"{HEAD}{''.join(rows)}}}  # fmt: skip\n"
    for name, attribute in (("SYMBOLS", "symbol"), ("PREFIXES", "prefix_symbol")):
        found = {symbol: word for word, cls in Operator.registry.items() if (symbol := getattr(cls, attribute))}
        made += f"{name} = {{\n" + "".join(f'    "{symbol}": "{word}",\n' for symbol, word in found.items()) + "}\n"
    return made


def quoted(names: str) -> str:
    """A string, of several lines if it is long."""
    lines = textwrap.wrap(names, 110)
    if len(lines) == 1:
        return f'"{names}"'
    return "(\n" + "".join(f'        "{line} "\n' for line in lines[:-1]) + f'        "{lines[-1]}"\n    )'


def test_families_are_those_of_the_modules(request: pytest.FixtureRequest) -> None:
    path = HERE / "families.py"
    if request.config.getoption("--update"):
        path.write_text(text(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text()


def test_names_import_nothing() -> None:
    """In a new process, which has imported no family."""
    script = """
    import sys
    from netc.compiler.ops import Operator
    from netc.compiler.ops.families import FAMILIES
    assert "conv" in Operator.registry and "convolution" not in Operator.registry
    assert len(Operator.registry) == len([*Operator.registry]) == sum(len(names.split()) for names in FAMILIES.values())
    assert "netc.compiler.ops.convolution" not in sys.modules
    assert Operator.registry["conv"].name == "conv"
    assert "netc.compiler.ops.convolution" in sys.modules and "netc.compiler.ops.attention" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_a_name_is_one_operator() -> None:
    with pytest.raises(ValueError, match="two operators are called conv"):
        type("Conv", (Operator,), {"name": "conv", "definition": "x"})


def test_an_operator_outside_the_families() -> None:
    made = type("Own", (Operator,), {"name": "own_operator", "definition": "x"})
    try:
        assert Operator.registry["own_operator"] is made
        assert [*Operator.registry][-1] == "own_operator"
    finally:
        Operator.registry.remove("own_operator")
    assert "own_operator" not in Operator.registry
