"""Errors of data for training, at the `input` that a column is for.

They arise when netc looks for the columns of a data set, and when it reads samples.

>>> problem = ColumnMissing("image", "pictures", "train.csv", ("picture",), ("picture", "label"))
>>> problem.format_message()
'`train.csv` has no column `pictures` for the input `image`'
>>> problem.format_help()
('say which column it is: `--column image=picture`, or `image=picture` after the path in the spec',)
"""

from __future__ import annotations

from shlex import quote
from typing import ClassVar

from netc.dsl.record import Record

from ..dims import format_dim
from ..types.tensor_types import DTYPES, UNNAMED_INPUT, Shape
from .column_names import format_column, is_name
from .problem import Problem

_ANY = "NAME"
"""Stands for a name that the reader knows."""


def _format_sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "[]"


def _format_shape(shape: Shape) -> str:
    return "[N" + "".join(f", {d if isinstance(d, int) else format_dim(d)}" for d in shape) + "]"


class WrongCells(Record):
    """Cells of a column that cannot be used. `count` is the number of all, `shown` has the row of each of the first ones and the cell,
    which is empty if there is nothing to show.

    >>> WrongCells("age", 14, (("line 63", "abc"), ("line 70", ""))).format_rows()
    '`age`: line 63 (`abc`), line 70 and 12 more'
    """

    column: str
    count: int
    shown: tuple[tuple[str, str], ...]

    def format_rows(self) -> str:
        rows = [f"{row} (`{cell}`)" if cell else row for row, cell in self.shown]
        more = self.count - len(rows)
        listed = ", ".join(rows) if more or len(rows) == 1 else f"{', '.join(rows[:-1])} and {rows[-1]}"
        return f"`{self.column}`: {listed}" + (f" and {more} more" if more else "")


def _format_places(columns: tuple[WrongCells, ...]) -> tuple[str, ...]:
    """Return a note with all rows, unless the message has the only one."""
    if len(columns) == 1 and columns[0].count == 1:
        return ()
    return ("all of them: " + "; ".join(wrong.format_rows() for wrong in columns),)


def _explain_rows(columns: tuple[WrongCells, ...]) -> str:
    """Return the end of a note that explains the numbers of samples; lines of a file need no explanation."""
    return "; samples are counted from 0" if columns[0].shown[0][0].startswith("sample ") else ""


class CellsUnfit(Problem):
    """Cells of the columns of an input that have no number. `why` completes "line 63 of the column `age` ...". `rule` is the setting that
    would give them one."""

    code: ClassVar[str] = "column-type"
    input: str
    path: str
    columns: tuple[WrongCells, ...]
    why: str
    remedy: str
    rule: str = ""

    def format_message(self) -> str:
        return f"{self.columns[0].shown[0][0]} of the column `{self.columns[0].column}` {self.why}"

    def format_notes(self) -> tuple[str, ...]:
        return (f"it is read from `{self.path}`, for the input `{self.input}`{_explain_rows(self.columns)}", *_format_places(self.columns))

    def format_help(self) -> tuple[str, ...]:
        return (f"{self.remedy}, or write a rule into the train section: `{self.rule}`" if self.rule else self.remedy,)


class ColumnMissing(Problem):
    """A column that the data does not have. `columns` has the existing columns. `asked` has all columns of the input, if it has several."""

    code: ClassVar[str] = "column-missing"
    input: str
    column: str
    path: str
    near: tuple[str, ...]
    columns: tuple[str, ...]
    asked: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"`{self.path}` has no column `{self.column}` for the input `{self.input}`"

    def format_notes(self) -> tuple[str, ...]:
        return (f"its columns are {', '.join(f'`{c}`' for c in self.columns)}" if self.columns else "it has no columns",)

    def format_help(self) -> tuple[str, ...]:
        is_table = self.path.lower().endswith((".csv", ".tsv"))
        # Read with the wrong separator, a table has one column, whose name is its entire first line.
        between = next((sign for sign in ";\t|" if is_table and len(self.columns) == 1 and sign in self.columns[0]), None)
        if between is not None:
            shown = "\\t" if between == "\t" else between
            return (f'its only column looks like several: write the separator after the path in the spec, `separator="{shown}"`',)
        name = self.near[0] if self.near else _ANY
        names = [name if column == self.column else column for column in self.asked] or [name]
        # `--column` takes names as they are; in a section, a name that is no word needs quotes.
        written = [name if name == _ANY else format_column(name) for name in names]
        listed = f"[{', '.join(written)}]" if self.asked else written[0]
        option = f"{self.input}={','.join(names)}"
        help_ = f"say which column it is: `--column {quote(option)}`"
        if self.input == UNNAMED_INPUT:  # a keyword, which is no argument of a setting
            return (f"{help_}, or name the input as the column: `{name} = input ...`" if is_name(name) else help_,)
        return (f"{help_}, or `{self.input}={listed}` after the path in the spec",)


class ColumnShape(Problem):
    code: ClassVar[str] = "column-shape"
    input: str
    column: str
    path: str
    found: tuple[int, ...] | None
    declared: Shape
    dtype: str = "float32"

    def format_message(self) -> str:
        if self.found is None:
            return (
                f"the samples of the column `{self.column}` differ in shape, and the input `{self.input}` is {_format_shape(self.declared)}"
            )
        return f"the column `{self.column}` is {_format_shape(self.found)}, and the input `{self.input}` is {_format_shape(self.declared)}"

    def format_notes(self) -> tuple[str, ...]:
        return (f"it is read from `{self.path}`",)

    def format_help(self) -> tuple[str, ...]:
        if self.found is None:
            return ("make them equally long, by padding for example",)
        dtype = "" if self.dtype == "float32" else f" {self.dtype}"
        declaration = f"`{self.input} = input {_format_sizes(self.found)}{dtype}`"
        if len(self.found) == 0 and self.declared == (1,):
            return (f"write `{self.input}=[{format_column(self.column)}]`, or declare it as it is: {declaration}",)
        if len(self.found) == 0 and len(self.declared) == 1:
            return (f"put several columns side by side: `{self.input}=[{format_column(self.column)}, ...]`",)
        if self.found == (1,) and not self.declared:
            return (f"declare it as it is, {declaration}, and remove the axis: `{self.input} -> squeeze 1`",)
        if len(self.found) == len(self.declared):
            return (f"declare it as it is: {declaration}",)
        return (f"declare it as it is, {declaration}, and change its shape where it is used",)


class InputWithoutSamples(Problem):
    """An input without a batch axis, which data with a row for each sample cannot give."""

    code: ClassVar[str] = "column-shape"
    input: str
    declared: Shape

    def format_message(self) -> str:
        shape = ", ".join(str(size) if isinstance(size, int) else format_dim(size) for size in self.declared)
        return f"the input `{self.input}` is [{shape}], without a batch axis, and data has a row for each sample"

    def format_help(self) -> tuple[str, ...]:
        return (
            f"for weights of classes, add a line such as `balance kind weight={self.input}`"
            if self.declared
            else f"for a number that changes with the step, add a line such as `vary {self.input} linear`",
            "for numbers of your own, write a `table` in place of the input; otherwise remove `batch=false`",
        )


class ColumnType(Problem):
    """A column whose elements do not have the type of the input. `others`: the other columns of the input that do not fit either."""

    code: ClassVar[str] = "column-type"
    input: str
    column: str
    path: str
    found: str
    declared: str
    others: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"the column `{self.column}` has {self.found}, and the input `{self.input}` is {self.declared}"

    def format_notes(self) -> tuple[str, ...]:
        where = f"it is read from `{self.path}`"
        if not self.others:
            return (where,)
        return where, f"these columns do not fit either: {', '.join(f'`{name}`' for name in self.others)}"

    def format_help(self) -> tuple[str, ...]:
        if self.found.startswith("complex"):
            return ("store real and imaginary parts as two columns, or as an axis of two",)
        if self.found in DTYPES:
            as_it_is = "float32" if DTYPES[self.found].is_float else self.found
            return (f"declare the input as it is, `{self.input} = input ... {as_it_is}`, and convert it by `cast` where it is used",)
        if self.found.startswith(("text", "string")) and DTYPES[self.declared].is_float:
            name = self.column if is_name(self.column) else "town"
            return (f"categories need an input of their own, `{name} = input [] int64`, for `embedding` or `one_hot`",)
        return ("numbers are needed: give each cell a number",)


class SizesDiffer(Problem):
    """A symbolic dimension that has different sizes in two columns."""

    code: ClassVar[str] = "column-shape"
    dim: str
    first: str
    one: int
    second: str
    other: int

    def format_message(self) -> str:
        return f"`{self.dim}` is {self.one} in the data of `{self.first}` and {self.other} in the data of `{self.second}`"


class SizesRefused(Problem):
    """Sizes of the data that a `where` excludes, or that do not fit the inputs. `why` gives the reason."""

    code: ClassVar[str] = "column-shape"
    path: str
    why: str

    def format_message(self) -> str:
        return f"the sizes in `{self.path}` do not fit the spec: {self.why}"


class NotFinite(Problem):
    """NaN or infinities in the samples that were read before the first step. `what` is the first of them. `can_fill`: NaN are empty cells
    of a table, which a rule of the section could fill."""

    code: ClassVar[str] = "data-not-finite"
    input: str
    path: str
    columns: tuple[WrongCells, ...]
    what: str
    can_fill: bool = False

    def format_message(self) -> str:
        first = self.columns[0]
        return f"{first.shown[0][0]} of the column `{first.column}`, for the input `{self.input}`, has {self.what}"

    def format_notes(self) -> tuple[str, ...]:
        return (
            f"it is read from `{self.path}`{_explain_rows(self.columns)}, and a number that is missing is NaN",
            *_format_places(self.columns),
        )

    def format_help(self) -> tuple[str, ...]:
        if self.can_fill:
            return ("write `fill median` into the train section, or remove such rows",)
        return ("remove or replace such samples",)


class CannotReadData(Problem):
    code: ClassVar[str] = "cannot-read-data"
    path: str
    why: str
    remedy: str = ""

    def format_message(self) -> str:
        return f"cannot read `{self.path}`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy,) if self.remedy else ()


class ClassOutOfRange(Problem):
    """A class number outside of the classes. `operator` is the loss that takes it. `needed` is the number of classes that the column has,
    as far as it is known. `has_names`: they are categories, which netc numbers from 0."""

    code: ClassVar[str] = "column-type"
    input: str
    column: str
    path: str
    found: int
    count: int
    operator: str
    cells: WrongCells
    needed: int
    has_names: bool = False

    def format_message(self) -> str:
        found = f"{self.cells.shown[0][0]} of the column `{self.column}` has the class {self.found}"
        return f"{found}, and `{self.operator}` has {self.count} class{'es' if self.count != 1 else ''}"

    def format_notes(self) -> tuple[str, ...]:
        numbers = f"classes are numbered from 0 to {self.count - 1}" if self.count != 1 else "the only class is 0"
        return (f"it is read from `{self.path}`, for the input `{self.input}`; {numbers}", *_format_places((self.cells,)))

    def format_help(self) -> tuple[str, ...]:
        if self.has_names:
            return (f"the column has {self.needed} categories, and the network needs a class for each of them",)
        # Exactly one too many: the classes of the data most likely begin at 1.
        if self.needed == self.count + 1:
            return ("if the classes begin at 1, subtract 1 in the data, or have one class more",)
        return (f"the network needs at least {self.needed} classes",) if self.needed > self.count else ()


class ClassMissing(Problem):
    """Classes without a training sample, for which the `balance` setting of the input `weights` has no number."""

    code: ClassVar[str] = "class-missing"
    input: str
    column: str
    path: str
    weights: str
    classes: tuple[str, ...]

    def format_message(self) -> str:
        more = f" and {len(self.classes) - 5} more" if len(self.classes) > 5 else ""
        shown = ", ".join(f"`{name}`" for name in self.classes[:5]) + more
        classes, them = ("the class", "it") if len(self.classes) == 1 else ("the classes", "them")
        return f"no training sample of the column `{self.column}` has {classes} {shown}, so `{self.weights}` has no weight for {them}"

    def format_notes(self) -> tuple[str, ...]:
        return (f"it is read from `{self.path}`, for the input `{self.input}`; validation samples do not count",)

    def format_help(self) -> tuple[str, ...]:
        return (
            f"if the data has such samples, keep a share of each class for training: `validate 0.2 stratify={self.input}`",
            "otherwise remove the class from the network, or add samples",
        )


class VocabularyTooLarge(Problem):
    """A tokenizer with more tokens than the `operator` that takes them has classes."""

    code: ClassVar[str] = "column-type"
    input: str
    path: str
    size: int
    count: int
    operator: str

    def format_message(self) -> str:
        return f"the tokenizer has {self.size} tokens, and `{self.operator}` has {self.count} class{'es' if self.count != 1 else ''}"

    def format_notes(self) -> tuple[str, ...]:
        return (f"the tokens are read from `{self.path}`, for the input `{self.input}`",)

    def format_help(self) -> tuple[str, ...]:
        return (f"write {self.size} in place of {self.count}, in the `embedding` and in the layer that computes the scores",)
