"""The published spec of a family, with the values of a `config.json`.

In: the path of a spec of the zoo, and arguments as they are written in a spec. Out: the text of a spec that uses it.

>>> spec = ZooSpec("text/gpt2.net", "network", {"width": "8", "depth": "2", "heads": "2"})
>>> print(write_zoo_spec(spec, "tiny", []))
use "zoo/text/gpt2.net": network
<BLANKLINE>
model tiny = network width=8 depth=2 heads=2
<BLANKLINE>
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from netc.dsl.formatter import format_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from .config_settings import ConfigSettings
from .weight_names import NameRules


class ZooSpec(Record):
    """A model of a published file. `arguments` are texts. `uses` are the blocks of other files that the arguments name, as pairs of a path
    and a block. `rules` turn the names of checkpoints into the names of the spec. `notes` tell the user what differs in training."""

    path: str
    model: str
    arguments: Mapping[str, str]
    uses: tuple[tuple[str, str], ...] = ()
    rules: NameRules = NameRules()
    notes: tuple[str, ...] = ()


ReadFamily = Callable[[ConfigSettings], ZooSpec]
"""Reads the settings of a family. Raises `NotInZoo` for a setting that the published spec does not have."""

FAMILIES: dict[str, ReadFamily] = {}
"""The families of the zoo, by the class of transformers whose names the spec has."""


def zoo_family(architecture: str) -> Callable[[ReadFamily], ReadFamily]:
    """Register the reader of a family."""

    def register(read: ReadFamily) -> ReadFamily:
        FAMILIES[architecture] = read
        return read

    return register


def write_zoo_spec(spec: ZooSpec, name: str, comments: Iterable[str]) -> str | None:
    """Write the spec: a `use` of the published file, and a model with the arguments. Return None if `name` is a word of the language."""
    lines = [f"# {comment}" for comment in comments]
    lines += [""] * bool(lines)
    lines += [f'use "zoo/{spec.path}": {spec.model}', *(f'use "{path}": {block}' for path, block in spec.uses), ""]
    arguments = " ".join(f"{key}={value}" for key, value in spec.arguments.items())
    lines.append(f"model {name} = {spec.model} {arguments}")
    text, _ = format_source(SourceFile(f"{name}.net", "\n".join(lines) + "\n"))
    return text


def format_value(value: float | bool) -> str:
    """Write a number or a flag as in a spec.

    >>> format_value(32000), format_value(1e-05), format_value(True), format_value(10000.0)
    ('32_000', '1e-5', 'true', '10_000')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    return re.sub(r"e([+-])0*(\d)", lambda match: "e" + match[1].replace("+", "") + match[2], repr(value))


def format_arguments(values: Mapping[str, float | bool | str | None]) -> dict[str, str]:
    """Write arguments as in a spec. Texts are stages; None stands for the spec's default."""
    return {name: value if isinstance(value, str) else format_value(value) for name, value in values.items() if value is not None}
