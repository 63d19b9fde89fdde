"""`netc predict`: predict new rows, images or values with a trained model.

For example, `netc predict RUN 5.1,3.5,1.4,0.2` predicts one row, and `netc predict RUN --data new.csv -o out.csv` a table.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from ..files.atomic_writing import check_writable
from .command_failure import FAILED, CommandFailed
from .completion import FileName
from .row_values import read_values
from .shared_options import batch_option, device_option, refuse_overwriting
from .terminal import write_error, write_text
from .write_progress import show_sample_progress

if TYPE_CHECKING:
    from ..prediction.predictions import Predictions
    from ..prediction.predictor import Predictor

STANDARD_INPUT = "-"
_MAX_LINES = 10
"""The number of classes that are shown for one sample."""
_NEGATIVE_NUMBER = re.compile(r"-(\d|\.\d|inf)", re.IGNORECASE)
_OUTPUT_ENDINGS = (".csv", ".tsv", ".json", ".parquet", ".npz")


class _RowCommand(click.Command):
    """A command whose arguments may begin with a negative number, such as `-1.5,2`, which is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        index = next((i for i, word in enumerate(args) if _NEGATIVE_NUMBER.match(word)), None)
        if index is not None and "--" not in args[:index]:
            # Options may follow the row, so the row moves to the end, where `--` says that it is none.
            args = [*args[:index], *args[index + 1 :], "--", args[index]]
        return super().parse_args(ctx, args)


@click.command("predict", cls=_RowCommand)
@click.argument("run", type=FileName())
@click.argument("values", nargs=-1, type=FileName())
@click.option(
    "--data",
    metavar="DATA",
    type=FileName(),
    help="Predict the samples in a table, a folder of images, or FORMAT:PATH as in training; `-` reads a CSV.",
)
@click.option(
    "-o", "--output", metavar="RESULTS", type=FileName(), help="Write here: .csv, .tsv, .json or .parquet; .npz for arrays and raw outputs."
)
@batch_option("Compute this many samples together. [default: 256]")
@device_option("Device to run on.")
def command(run: str, values: tuple[str, ...], data: str | None, output: str | None, batch: int | None, device: str) -> None:
    """RUN is the folder of a training run, or an ONNX file that `netc compile` wrote from one.

    VALUES are one row, such as `5.1,3.5,1.4,0.2` or `width=5.1 height=3.5`, or the paths of images. Columns of a table are copied to the
    result, and the predicted columns follow them.
    """
    _check_usage(values, data, output, run)
    from ..prediction.load_predictor import load
    from ..prediction.unfit_data import BATCH, UnfitData
    from .runnable import check_device, start_session

    check_device(device)
    predictor = start_session(lambda: load(run, device), f"`{run}`")
    with _open_standard_input(data) as path:
        # one word that is a path is data: `netc predict run new.csv`
        if path is None and len(values) == 1 and os.path.exists(values[0]):
            path, values = values[0], ()
        samples = path if path is not None else read_values(values, predictor)
        try:
            _predict(predictor, samples, output, batch or BATCH, " ".join(values) or ("standard input" if data == STANDARD_INPUT else None))
        except UnfitData as unfit:
            for problem in unfit.problems:
                write_error(problem.format_message(), *problem.format_help(), notes=problem.format_notes(), code=problem.code)
            raise click.exceptions.Exit(FAILED) from None
        except ValueError as error:
            raise CommandFailed(str(error)) from None


def _check_usage(values: tuple[str, ...], data: str | None, output: str | None, run: str) -> None:
    if bool(values) == (data is not None):
        raise click.UsageError("give `--data FILE`, or one row such as `5.1,3.5,1.4,0.2`, or paths of images")
    if output not in (None, "-") and not output.lower().endswith(_OUTPUT_ENDINGS):
        raise click.UsageError(f"results are written as {', '.join(_OUTPUT_ENDINGS)}, and `{output}` has none of these endings")
    refuse_overwriting(output, run, data, *values)
    if output is not None:
        check_writable(output)


@contextmanager
def _open_standard_input(data: str | None) -> Iterator[str | None]:
    """Copy standard input to a file if it is asked for, because a table is read more than once."""
    if data != STANDARD_INPUT:
        yield data
        return
    import shutil

    with NamedTemporaryFile("wb", suffix=".csv", prefix="netc-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield file.name


def _predict(predictor: Predictor, samples: Any, output: str | None, batch: int, described: str | None) -> None:
    """Predict the samples batch by batch, and write them as they come."""
    columns = predictor.open_columns(samples, described)
    # one row from the command line is shown to a person; a file with one row still gives a table
    if output is None and len(columns) == 1 and not isinstance(samples, str):
        write_text("\n".join(_format_sample(next(predictor.predict_columns(columns, batch)))))
        return
    from ..prediction.copied_columns import open_copied_columns
    from ..prediction.prediction_files import NO_TABLE_ENDINGS, MissingPackage, get_ending, write_predictions
    from ..prediction.predictions import NoTable

    ending = ".csv" if output in (None, "-") else get_ending(output)
    copied = open_copied_columns(columns.source, ending)
    with show_sample_progress(len(columns)) as progress:
        try:
            write_predictions(output or "-", progress(predictor.predict_columns(columns, batch)), copied, ending)
        except NoTable as error:
            raise CommandFailed(str(error), f"write arrays: `-o OUT{NO_TABLE_ENDINGS[0]}`") from None
        except MissingPackage as error:
            raise CommandFailed(str(error)) from None


def _format_sample(results: Predictions) -> Iterator[str]:
    """Yield the lines for one sample: its predictions, then the most probable classes."""
    from ..prediction.predictions import PREDICTED_PREFIX, PROBABILITY_PREFIX

    for name, array in results.columns.items():
        if not name.startswith(PROBABILITY_PREFIX):
            yield f"{name.removeprefix(PREDICTED_PREFIX)}: {_format_value(array[0])}"
    probabilities = {
        name.removeprefix(PROBABILITY_PREFIX): float(array[0])
        for name, array in results.columns.items()
        if name.startswith(PROBABILITY_PREFIX) and array.ndim == 1
    }
    width = max(map(len, probabilities), default=0)
    for name, probability in sorted(probabilities.items(), key=lambda item: -item[1])[:_MAX_LINES]:
        yield f"  {name:<{width}}  {probability:.4f}"


def _format_value(value: Any) -> str:
    import numpy as np

    from ..prediction.predictions import format_cell

    return np.array2string(value, threshold=100, precision=4) if isinstance(value, np.ndarray) else format_cell("", value)
