"""Write the example program of `netc compile --example`, and refuse it before the model is written if there can be none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .command_failure import CommandFailed
from .terminal import write_note

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput


def check_example(inputs: BackendInput, output: str, language: str) -> None:
    """Raise `CommandFailed` if the weights are from no run, or the example's file exists."""
    from ..prediction.examples.write_example import find_example_paths
    from ..prediction.model_signature import METADATA_KEY

    if METADATA_KEY not in dict(inputs.options.metadata):
        if inputs.weights is not None:
            inputs.open_arrays()  # weights that cannot be read have an error of their own, such as a run that does not exist
        raise CommandFailed("an example needs the columns and classes of a run, and these weights are from none", "give `--weights RUN`")
    for path in filter(os.path.lexists, find_example_paths(output, language)):
        raise CommandFailed(f"there is a file `{path}` already", "move it, or give the ONNX file another name")


def write_example_file(output: str, language: str) -> None:
    """Write the example for a model that was written. Raises `CommandFailed` for a model that has none."""
    from ..prediction.examples.example_plan import NoExample
    from ..prediction.examples.write_example import write_example

    try:
        paths = write_example(output, language)
    except NoExample as error:
        raise CommandFailed(f"`{output}` is written, but no example: {error}") from None
    write_note(f"{' and '.join(f'`{path}`' for path in paths)} {'predicts' if len(paths) == 1 else 'predict'} with it")
