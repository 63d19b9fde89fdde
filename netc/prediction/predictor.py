"""A trained model that takes rows, images or arrays, and returns what they mean.

In: the folder of a run, or an ONNX file that netc wrote. Out: a `Predictor`. Always: columns, categories and sizes are the ones of the
training; a column that is missing, or a cell without a meaning, is an error, never a guess.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.dims import make_symbol
from netc.compiler.errors.data_errors import CannotReadData, CellsUnfit, ColumnMissing, ColumnShape, ColumnType, NotFinite
from netc.compiler.errors.problem import Problem
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.ports import Port
from netc.compiler.types.tensor_types import DType, TensorType
from netc.dsl.record import replace
from netc.dsl.source import SourceFile, Span

from ..errors import CompileError
from ..training.data.data_columns import ColumnSpec, InputColumns, find_input_columns, map_column_types
from ..training.data.data_source import Array, DataError
from ..training.data.encodings import EncodedSource, complete_encodings, find_wrong_cells
from ..training.data.value_checks import find_nonfinite
from .decoder_steps import NoGenerator
from .model_signature import InputSignature, ModelSignature
from .open_samples import find_image_column, find_image_decoder, open_samples
from .predictions import Predictions, interpret_outputs
from .unfit_data import BATCH, UnfitData

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.runtime import OnnxSession

    from ..evaluation.evaluate_model import Evaluation
    from ..tokenizing.text_tokenizer import Tokenizer
    from ..training.data.pictures import ImageDecoder
    from .text_generator import Prompt, TextGenerator, Token


class Predictor:
    """A trained model with the signature of its data. `name` is the run or file that it was loaded from."""

    def __init__(
        self,
        name: str,
        session: OnnxSession,
        signature: ModelSignature,
        make_generator: Callable[[], TextGenerator] | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        """`tokenizer` makes the tokens that the model reads. None if the model reads no text, or the tokenizer is not known."""
        self.name, self.session, self.signature, self.tokenizer = name, session, signature, tokenizer
        self._make_generator = make_generator
        span = Span(SourceFile(name, ""), 0, 0)
        self._inputs = [Value(_port_type(port), span, port.name) for port in session.inputs.values()]
        known = {item.name: item for item in signature.inputs}
        self._trained = frozenset(known)
        # an input that training drew at random had no column, and reads the column with its own name
        self._columns = {port: known.get(port, InputSignature(port, (port,), single=True)) for port in session.inputs}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model reads, each once."""
        return tuple({column: None for item in self._columns.values() for column in item.columns})

    @property
    def column_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """The shape of a sample in each column that the model reads. None is a size that may vary."""
        shapes: dict[str, tuple[int | None, ...]] = {}
        for port, item in self._columns.items():
            shape = tuple(size if isinstance(size, int) else None for size in self.session.inputs[port].shape[1:])
            shapes |= dict.fromkeys(item.columns, shape if item.single else ())
        return shapes

    @property
    def column_types(self) -> dict[str, DType]:
        """The element type of the input that reads each column."""
        return {column: self.session.inputs[port].dtype for port, item in self._columns.items() for column in item.columns}

    @property
    def image_decoder(self) -> tuple[str, ImageDecoder] | None:
        """The column of images and how they are decoded. None for a model that reads no images."""
        return find_image_decoder(self.signature, map_column_types(self._inputs, self._specs))

    def get_input_columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that an input of the model reads."""
        return self._columns[name].columns

    def reads_one_column(self, name: str) -> bool:
        """Whether an input of the model is one column as it is, not several columns side by side."""
        return self._columns[name].single

    @property
    def reads_images(self) -> bool:
        """Whether the model reads image files."""
        return find_image_column(self.signature, map_column_types(self._inputs, self._specs)) is not None

    def __call__(self, data: Any, *, batch: int = BATCH) -> Predictions:
        """Predict all samples of some data.

        `data` is a path, `FORMAT:PATH`, a list of paths of images, a mapping of columns, a DataFrame, a list of rows, or an array
        `[samples, ...]` for a model with one input. `batch` samples are computed together. Raises `UnfitData` for data that does not fit,
        and `ValueError` for sizes that the model refuses.
        """
        return Predictions.concatenate(list(self.iterate_batches(data, batch=batch)))

    def evaluate(self, data: Any, *, batch: int = BATCH, top_k: int | None = None, bootstrap: int = 0) -> Evaluation:
        """Compare the predictions with the targets in some data, by scikit-learn's metrics: `evaluate("test.csv").metrics["accuracy"]`.

        `top_k` also counts a class among the K most probable ones as correct; the default is 5 for more than five classes. `bootstrap` is
        the number of resamples of the data from which 95 % intervals of the metrics are computed; each takes the time of the metrics.
        Raises `UnfitData` for data that does not fit, and `NoScikitLearn`.
        """
        from ..evaluation.evaluate_model import evaluate_model

        return evaluate_model(self, data, batch, top_k, bootstrap)

    def iterate_batches(self, data: Any, *, batch: int = BATCH) -> Iterator[Predictions]:
        """Yield the predictions of the samples in order, `batch` at a time."""
        return self.predict_columns(self.open_columns(data), batch)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the model's outputs, in order."""
        return tuple(self.session.outputs)

    def predict_columns(self, columns: InputColumns, batch: int = BATCH) -> Iterator[Predictions]:
        """Return the predictions for opened data in order, `batch` at a time. Raises `UnfitData`, while they are read."""
        if batch < 1:
            raise ValueError(f"`batch` must be at least 1, not {batch}")
        return self._predict_batches(columns, self.fixed_batch or batch)

    def _predict_batches(self, columns: InputColumns, size: int) -> Iterator[Predictions]:
        indices = np.arange(len(columns))
        try:
            for arrays in columns.iterate_batches((indices[i : i + size] for i in range(0, len(columns), size)), dict):
                yield self.make_predictions(self.compute_outputs(arrays))
        except DataError as error:
            raise UnfitData((error.problem or CannotReadData(columns.path, str(error), error.remedy),)) from error

    def generate(self, prompt: Prompt = "", **options: Any) -> Iterator[Token]:
        """Return an iterator over the tokens that follow a prompt: `print(token, end="")` prints the text of one.

        The options are `tokens`, `temperature`, `top_k`, `top_p` and `seed`, as `TextGenerator.generate` describes them. Raises
        `ValueError` for a model that generates no text.
        """
        return self._generator.generate(prompt, **options)

    def find_generator(self) -> TextGenerator | None:
        """Load the generator of a model that was trained on text. Return None for other models, and for decoders that look ahead."""
        if self._make_generator is None or self.tokenizer is None:
            return None
        try:
            return self._generator
        except (NoGenerator, CompileError):
            return None

    @cached_property
    def _generator(self) -> TextGenerator:
        if self._make_generator is None:
            raise NoGenerator("an ONNX file generates no text: it has no step that takes one token", "load the folder of the run")
        return self._make_generator()

    def open_columns(self, data: Any, described: str | None = None, with_targets: bool = False) -> InputColumns:
        """Open the data, and match its columns with the inputs. `described` names the data in messages. `with_targets`: the source has the
        columns of the targets too, encoded as in training. Raises `UnfitData`."""
        name, specs = described or _describe_data(data), self._specs
        try:
            types = map_column_types(self._inputs, specs)
            source = open_samples(data, self.signature, types, self._single_array_column, with_targets)
            # the last one counts, so a column that is an input too is encoded as the input
            encodings = (*self.signature.target_encodings, *self.signature.encodings) if with_targets else self.signature.encodings
            encoded = EncodedSource(source, complete_encodings(source, self._inputs, specs, encodings))
            columns, found = find_input_columns(encoded, self._inputs, specs, name)
            problems = [_simplify_problem(problem, input not in self._trained) for input, problem in found.items()]
            problems += [_simplify_problem(problem, False) for problem in self._find_wrong_cells(encoded, columns)]
        except DataError as error:
            raise UnfitData((CannotReadData(name, str(error), error.remedy),)) from error
        if problems:
            raise UnfitData(problems)
        return columns

    def _find_wrong_cells(self, encoded: EncodedSource, columns: InputColumns) -> Iterator[Problem]:
        """Yield the problems of cells: without a number, or NaN in a column of single numbers, which no rule of the training fills."""
        usable = dict(columns.columns)
        for name, selection in columns.columns.items():
            unfit = find_wrong_cells(columns, name)
            if unfit is not None:
                del usable[name]
                yield unfit
            elif any(encoded.columns[column].shape != () for column in selection.names):
                del usable[name]  # an array may be large, and NaN in it is not an empty cell
        part = replace(columns, columns=usable)
        yield from find_nonfinite(part, self._inputs, np.arange(len(columns))).values()

    @property
    def _specs(self) -> dict[str, ColumnSpec]:
        return {name: item.columns[0] if item.single else item.columns for name, item in self._columns.items()}

    @property
    def fixed_batch(self) -> int | None:
        """The number of samples that the model always takes, if it takes a fixed number."""
        sizes = {port.shape[0] if port.shape else None for port in self.session.inputs.values()}
        size = next(iter(sizes)) if len(sizes) == 1 else None
        return size if isinstance(size, int) else None

    @property
    def _single_array_column(self) -> str | None:
        """The column that an array without names is, if the model has one input that reads one column."""
        items = list(self._columns.values())
        return items[0].name if len(items) == 1 else None

    def compute_outputs(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """Run the model once on arrays `[samples, ...]` by input. Return its outputs by name, with one entry for each sample. Raises
        `ValueError` for sizes that the model refuses."""
        count = len(next(iter(arrays.values())))
        size = self.fixed_batch or count
        # A model with a fixed batch gets the last sample repeatedly in place of the samples that are missing.
        outputs = self.run_session({name: _repeat_last(array, size - count) for name, array in arrays.items()})
        for name, array in outputs.items():
            if array.shape[:1] != (size,):
                raise ValueError(f"the output `{name}` has the shape {list(array.shape)} for {size} samples, not one entry for each")
        return {name: array[:count] for name, array in outputs.items()}

    def run_session(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """Run the model on exactly these arrays. Return its outputs by name."""
        results: Any = self.session(**arrays)
        # a session returns its only output alone
        return results if isinstance(results, dict) else dict.fromkeys(self.session.outputs, results)

    def make_predictions(self, outputs: dict[str, Array]) -> Predictions:
        """Convert outputs of the model to class names, probabilities and values."""
        return interpret_outputs(outputs, self.signature)

    def __repr__(self) -> str:
        outputs = ", ".join(output.target or output.name for output in self.signature.outputs) or ", ".join(self.session.outputs)
        return f"<netc.Predictor {self.name}: {', '.join(self.columns)} -> {outputs}>"


def _repeat_last(array: Array, times: int) -> Array:
    return np.concatenate([array, np.repeat(array[-1:], times, axis=0)]) if times else array


def _describe_data(data: Any) -> str:
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    is_paths = isinstance(data, (list, tuple)) and data and isinstance(data[0], (str, os.PathLike))
    return os.fspath(data[0]) + (", ..." if len(data) > 1 else "") if is_paths else type(data).__name__


def _simplify_problem(problem: Problem, is_sampled: bool) -> Problem:
    """Replace the advice to change the spec, which is fixed once the model is trained. `is_sampled`: training gave the input no column."""
    match problem:
        case ColumnMissing():
            near = f"did you mean `{problem.near[0]}`?" if problem.near else f"its columns are {', '.join(problem.columns)}"
            if is_sampled:
                near = f"training drew `{problem.column}` at random: add a column `{problem.column}` with the values to use, such as zeros"
            return CannotReadData(problem.path, f"it has no column `{problem.column}`, which the model reads", near)
        case CellsUnfit():
            return replace(problem, rule="")
        case NotFinite():
            return replace(problem, can_fill=False)
        case ColumnType() | ColumnShape():
            return CannotReadData(problem.path, problem.format_message())
    return problem


def _port_type(port: Port) -> TensorType:
    # Sizes that are unknown in the file may have any value, so each gets a symbol of its own.
    symbols = (size or f"{port.name}_{axis}" for axis, size in enumerate(port.shape))
    return TensorType(port.dtype, tuple(size if isinstance(size, int) else make_symbol(size, lower=0) for size in symbols))
