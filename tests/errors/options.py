"""The command-line options of an example: its first line may be a comment such as `# netc check model.net --set width=8`."""

from __future__ import annotations

import re
import shlex

from netc.analysis import Choice
from netc.cli.values import parse_constant

COMMAND = re.compile(r"# netc check \S+ (.*)")


def chosen(text: str) -> Choice:
    """The model, parameters and dimensions that the first line of a text asks for."""
    asked = COMMAND.match(text)
    words = shlex.split(asked[1], posix=False) if asked else []
    model: str | None = None
    params: dict[str, object] = {}
    dims: dict[str, int] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        name, _, given = value.partition("=")
        if option == "--model":
            model = value
        elif option == "--set":
            params[name] = parse_constant(given)
        else:
            dims[name] = int(given)
    return Choice(model, params, dims)
