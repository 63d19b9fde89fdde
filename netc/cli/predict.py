"""`netc predict`: what a trained model says of new rows, images or values."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from ..files.atomic_writing import check_writable, write_bytes
from .command_failure import FAILED, CommandFailed
from .completion import FileName
from .shared_options import device_option, refuse_overwriting
from .terminal import write_error, write_text

if TYPE_CHECKING:
    from ..prediction.predictions import Predictions
    from ..prediction.predictor import Predictor

STANDARD_INPUT = "-"
_MAX_LINES = 10
"""The number of classes that are shown for one sample."""


@click.command("predict")
@click.argument("run", type=FileName())
@click.argument("values", nargs=-1, type=FileName())
@click.option(
    "--data",
    metavar="DATA",
    type=FileName(),
    help="Predict the samples in a table or a folder of images; `-` reads a CSV.",
)
@click.option("-o", "--output", metavar="OUT.csv", type=FileName(), help="Write here: .csv for a table, .npz for the raw outputs.")
@click.option("--batch", type=click.IntRange(1), default=256, show_default=True, help="Compute this many samples together.")
@device_option("Device to run on.")
def command(run: str, values: tuple[str, ...], data: str | None, output: str | None, batch: int, device: str) -> None:
    """RUN is the folder of a training run, or an ONNX file that `netc compile` wrote from one.

    VALUES are one row, such as `5.1,3.5,1.4,0.2` or `width=5.1 height=3.5`, or the paths of images. Columns of a table are copied to the
    result, and the predicted columns follow them.
    """
    _check_usage(values, data, output, run)
    from ..prediction.load_predictor import load
    from ..prediction.predictor import UnfitData

    predictor = load(run, device)
    with _open_standard_input(data) as path:
        samples = path if path is not None else _read_values(values, predictor)
        try:
            results = predictor(samples, batch=batch)
        except UnfitData as unfit:
            for problem in unfit.problems:
                write_error(problem.format_message(), *problem.format_help(), notes=problem.format_notes(), code=problem.code)
            raise click.exceptions.Exit(FAILED) from None
        except ValueError as error:
            raise CommandFailed(str(error)) from None
        _write_results(results, samples, predictor, output, values)


def _check_usage(values: tuple[str, ...], data: str | None, output: str | None, run: str) -> None:
    if bool(values) == (data is not None):
        raise click.UsageError("give `--data FILE`, or one row such as `5.1,3.5,1.4,0.2`, or paths of images")
    if output is not None and not output.lower().endswith((".csv", ".npz")):
        raise click.UsageError(f"results are written as .csv or .npz, and `{output}` ends in neither")
    refuse_overwriting(output, run, data, *values)
    if output is not None:
        check_writable(output)


@contextmanager
def _open_standard_input(data: str | None) -> Iterator[str | None]:
    """Copy standard input to a file if it is asked for, because a table is read more than once."""
    if data != STANDARD_INPUT:
        yield data
        return
    with NamedTemporaryFile("wb", suffix=".csv", prefix="netc-") as file:
        file.write(sys.stdin.buffer.read())
        file.flush()
        yield file.name


def _read_values(values: tuple[str, ...], predictor: Predictor) -> Any:
    """Return the images, or the row as a mapping of columns."""
    if all(os.path.exists(value) for value in values):
        return list(values)
    if len(values) == 1 and "=" not in values[0]:
        cells = next(csv.reader(io.StringIO(values[0])), [])
        if len(cells) != len(predictor.columns):
            columns = ", ".join(predictor.columns)
            raise CommandFailed(
                f"a row has {len(predictor.columns)} values, and `{values[0]}` has {len(cells)}", f"the columns are {columns}"
            )
        return _make_row(dict(zip(predictor.columns, cells, strict=True)))
    pairs = [value.partition("=") for value in values]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise CommandFailed(f"`{wrong}` is neither a file nor `COLUMN=VALUE`", f"the columns are {', '.join(predictor.columns)}")
    unknown = next((name for name, _, _ in pairs if name not in predictor.columns), None)
    if unknown is not None:
        raise CommandFailed(f"the model reads no column `{unknown}`", f"the columns are {', '.join(predictor.columns)}")
    return _make_row({name: cell for name, _, cell in pairs})


def _make_row(cells: dict[str, str]) -> Any:
    from ..training.data.csv import read_cells

    return read_cells(list(cells), [list(cells.values())])


def _write_results(results: Predictions, samples: Any, predictor: Predictor, output: str | None, values: tuple[str, ...]) -> None:
    from ..prediction.prediction_table import format_table
    from ..prediction.predictions import NoTable

    if output is not None and output.lower().endswith(".npz"):
        from .runnable import encode_npz

        write_bytes(output, encode_npz(results.outputs))
        return
    if output is None and values and len(results) == 1:
        write_text("\n".join(_format_sample(results)))
        return
    try:
        text = format_table(results, samples, predictor.signature)
    except NoTable as error:
        raise CommandFailed(str(error), "write the raw outputs: `-o OUT.npz`") from None
    write_bytes(output or "-", text.encode("utf-8"))


def _format_sample(results: Predictions) -> Iterator[str]:
    """Yield the lines for one sample: what is predicted, then the most probable classes."""
    shown = {name: array for name, array in results.columns.items() if array.ndim == 1}
    for name, array in results.columns.items():
        if not name.startswith("probability_"):
            yield f"{name.removeprefix('predicted_')}: {_format_value(array[0])}"
    probabilities = {name.removeprefix("probability_"): float(a[0]) for name, a in shown.items() if name.startswith("probability_")}
    width = max(map(len, probabilities), default=0)
    for name, probability in sorted(probabilities.items(), key=lambda item: -item[1])[:_MAX_LINES]:
        yield f"  {name:<{width}}  {probability:.4f}"


def _format_value(value: Any) -> str:
    import numpy as np

    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return np.array2string(value, threshold=100, precision=4) if isinstance(value, np.ndarray) else str(value)
