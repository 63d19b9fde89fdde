"""The command-line options of an example: its first line may be a comment such as `# netc check model.net --set width=8`."""

from __future__ import annotations

import re
import shlex

from netc.analysis import Choice
from netc.inputs.set_values import parse_constant

COMMAND = re.compile(r"# netc check \S+ (.*)")


def words_of(text: str) -> list[tuple[str, str]]:
    """The options and their values that the first line of a text asks for."""
    asked = COMMAND.match(text)
    words = shlex.split(asked[1], posix=False) if asked else []
    return list(zip(words[::2], words[1::2], strict=True))


def chosen(text: str) -> Choice:
    """The model, parameters and dimensions that the first line of a text asks for."""
    model: str | None = None
    params: dict[str, object] = {}
    dims: dict[str, int] = {}
    for option, value in words_of(text):
        name, _, given = value.partition("=")
        if option == "--model":
            model = value
        elif option == "--set":
            params[name] = parse_constant(given)
        elif option == "--dim":
            dims[name] = int(given)
    return Choice(model, params, dims)
