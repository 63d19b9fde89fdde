"""Plan an example program: which arguments it reads, how each becomes a number of an input, and what the outputs mean.

In: a predictor. Out: an `ExamplePlan`, which the writers of each language turn into text. Always: a model whose inputs are neither an
image nor single numbers of a table, or whose outputs are not one row for a sample, has no plan, and `NoExample` says why.

The arguments of the program are the path of an image, or a row with one argument for each number: `5.1 3.5 1.4 0.2`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from netc.compiler.ir.ports import Port
from netc.dsl.record import Record, replace

from ...training.data.encodings import BOOLEAN, CATEGORY, INTEGER, NUMBER, ColumnEncoding
from ...training.data.pictures import ImageDecoder
from ..model_signature import BINARY, CLASSES, LOG_CLASSES, PROBABILITIES, PROBABILITY, OutputSignature, Step
from ..predictions import name_classes
from ..predictor import Predictor

CLASS_TASKS = (CLASSES, LOG_CLASSES, PROBABILITIES)
"""Tasks whose output has a number for each class."""
BINARY_TASKS = (BINARY, PROBABILITY)
_MOST_ARGUMENTS = 64
"""More numbers than this are no row that somebody types."""


class NoExample(ValueError):
    """A model for which no example can be written. The text says why."""


class Cell(Record):
    """One argument of the program. `kind` says how it becomes a number, as in a `ColumnEncoding`."""

    name: str
    kind: str
    encoding: ColumnEncoding

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty cell has a number: the one to fill in, or NaN."""
        return self.kind != CATEGORY and (self.encoding.fill is not None or self.encoding.allows_missing)


class ExampleInput(Record):
    """An input: the arguments that it is made of, and the shape for one sample, with the batch axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    cells: tuple[Cell, ...]

    def find_number_type(self, cell: Cell) -> str:
        """Return the type whose range the number in a cell must be in. A column of integers may feed an input of floats."""
        return "int64" if cell.kind == INTEGER and self.dtype.startswith("float") else self.dtype

    def reads_integer(self, cell: Cell) -> bool:
        """Whether the argument must be an integer."""
        return cell.kind in (INTEGER, NUMBER) and not self.find_number_type(cell).startswith("float")


class ExampleOutput(Record):
    """An output. `classes` are the names of its classes. `titles` names each number that is not the probability of a class."""

    name: str
    dtype: str
    task: str
    classes: tuple[str, ...]
    titles: tuple[str, ...]
    steps: tuple[Step, ...]


class ExamplePlan(Record):
    """A program. `model` is the name of the ONNX file next to it. `decoder` says how its only input is read from an image, and is None for
    a row."""

    model: str
    inputs: tuple[ExampleInput, ...]
    outputs: tuple[ExampleOutput, ...]
    decoder: ImageDecoder | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All arguments, each once: two inputs may read the same column."""
        return tuple({cell.name: cell for item in self.inputs for cell in item.cells}.values())

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The element types of the inputs and outputs."""
        return (*(item.dtype for item in self.inputs), *(output.dtype for output in self.outputs))

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the arguments."""
        return frozenset(cell.kind for cell in self.cells)

    @property
    def may_be_empty(self) -> bool:
        """Whether some argument may be empty."""
        return any(cell.may_be_empty for cell in self.cells)

    @property
    def reads_numbers(self) -> bool:
        """Whether some argument is a number, of any type."""
        return bool(self.kinds & {INTEGER, NUMBER})

    @property
    def reads_integers(self) -> bool:
        """Whether some argument must be an integer."""
        return any(item.reads_integer(cell) for item in self.inputs for cell in item.cells)

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The categories of each argument that has some."""
        return {cell.name: cell.encoding.categories for cell in self.cells if cell.kind == CATEGORY}


def make_plan(predictor: Predictor, model: str) -> ExamplePlan:
    """Plan the program for a model. Raises `NoExample`."""
    session, signature = predictor.session, predictor.signature
    if signature.tokenizer or signature.format == "text":
        raise NoExample("its input is text, and an example reads a row of numbers or an image")
    outputs = _distinguish_titles([_plan_output(port, signature.find_output(port.name)) for port in session.outputs.values()])
    if predictor.image_decoder is not None:
        return ExamplePlan(model, (_plan_image(predictor),), outputs, predictor.image_decoder[1])
    encodings = {encoding.column: encoding for encoding in signature.encodings}
    inputs = tuple(_plan_input(port, predictor, encodings) for port in session.inputs.values())
    if sum(len(item.cells) for item in inputs) > _MOST_ARGUMENTS:
        raise NoExample(f"a sample has more than {_MOST_ARGUMENTS} numbers, and an example reads a row")
    return ExamplePlan(model, inputs, outputs)


def _plan_image(predictor: Predictor) -> ExampleInput:
    port, *others = predictor.session.inputs.values()
    if others:
        raise NoExample(f"it reads an image and `{others[0].name}`, and an example reads an image alone")
    _check_batch(port)
    return ExampleInput(port.name, port.dtype.name, (), ())


def _check_batch(port: Port) -> None:
    batch = next(iter(port.shape), 0)
    if isinstance(batch, int) and batch != 1:
        raise NoExample(f"the input `{port.name}` takes {batch} samples at once, and an example has one")


def _plan_input(port: Port, predictor: Predictor, encodings: dict[str, ColumnEncoding]) -> ExampleInput:
    _check_batch(port)
    sizes = port.shape[1:]
    fixed = tuple(size for size in sizes if isinstance(size, int))
    if len(fixed) < len(sizes):
        raise NoExample(f"the input `{port.name}` has no fixed size for a sample: {port}")
    kind = INTEGER if port.dtype.is_integer else NUMBER if port.dtype.is_float else BOOLEAN
    cells = [
        # a column of plain numbers has no encoding in the signature
        Cell(name, encodings[column].kind if column in encodings else kind, encodings.get(column, ColumnEncoding(column, kind)))
        for column in predictor.get_input_columns(port.name)
        for name in _name_numbers(column, predictor.column_shapes[column])
    ]
    return ExampleInput(port.name, port.dtype.name, (1, *fixed), tuple(cells))


def _name_numbers(column: str, shape: tuple[int | None, ...]) -> Iterator[str]:
    """Name each number that a column has in a sample."""
    count = prod(size or 0 for size in shape)
    yield from [column] if shape == () else [f"{column}_{i}" for i in range(count)]


def _plan_output(port: Port, output: OutputSignature) -> ExampleOutput:
    width = 1 if len(port.shape) == 1 else port.shape[1] if len(port.shape) == 2 else None
    if not isinstance(width, int):
        raise NoExample(f"the output `{port.name}` is not one row for a sample: {port}")
    target = output.target or output.name
    titles: tuple[str, ...] = (target,)
    if output.task not in CLASS_TASKS and width > 1:
        titles = output.columns if len(output.columns) == width else tuple(f"{target}_{i}" for i in range(width))
    classes = output.classes
    if output.task in CLASS_TASKS:
        classes = name_classes(classes, width)
    if output.task in BINARY_TASKS and len(classes) != 2:
        classes = ("0", "1")
    return ExampleOutput(port.name, port.dtype.name, output.task, classes, titles, output.steps)


def _distinguish_titles(outputs: list[ExampleOutput]) -> tuple[ExampleOutput, ...]:
    """Append the name of the output to a title that an earlier output has: two outputs may predict the same target."""
    results: list[ExampleOutput] = []
    for output in outputs:
        known = {title for result in results for title in result.titles}
        titles = tuple(f"{title}_{output.name}" if title in known else title for title in output.titles)
        results.append(replace(output, titles=titles))
    return tuple(results)


def format_steps(value: str, steps: tuple[Step, ...], functions: str) -> str:
    """Write the expression that scales a value back, in a language whose functions such as `exp` have this prefix."""
    symbols = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    for name, number in steps:
        # Python's shortest form of a float reads back as the same number in all three languages
        value = f"({value} {symbols[name]} {number!r})" if name in symbols else f"{functions}{name}({value})"
    return value


Writer = Callable[[ExamplePlan], str]
