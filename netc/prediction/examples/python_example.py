"""Write the example in Python."""

from __future__ import annotations

from ...training.data.encodings import BOOLEAN, CATEGORY, DATE
from ...training.data.pictures import MODES, ImageDecoder, Size
from ...training.data.table_cells import MISSING
from ..model_signature import BINARY, CLASSES, LABEL, LOG_CLASSES, PROBABILITIES, PROBABILITY
from .example_plan import BINARY_TASKS, CLASS_TASKS, Cell, ExampleInput, ExampleOutput, ExamplePlan, NoExample, format_steps

_IMPORTS = ("", "import sys", "from pathlib import Path", "", "import numpy as np", "import onnxruntime")
_BOOLEANS = 'BOOLEANS = {"true": 1, "false": 0, "yes": 1, "no": 0, "t": 1, "f": 0, "y": 1, "n": 0}'
_DAYS = '''
def count_days(text):
    """Return the days since 1970-01-01 of a date such as 2026-01-31."""
    return (np.datetime64(text, "us") - np.datetime64("1970-01-01", "us")) / np.timedelta64(1, "D")

'''
_NUMBER = '''
def read_number(text, dtype):
    """Return the number of a cell, if it is in the range of the type."""
    # `float` also reads `1_0`, and the digits of other scripts.
    if not text.isascii() or "_" in text:
        sys.exit(f"{text} is not a number")
    try:
        number = float(text)
    except ValueError:
        sys.exit(f"{text} is not a number")
    if not abs(number) <= np.finfo(dtype).max:
        sys.exit(f"{text} is no finite number of {dtype.__name__}")
    return number

'''
_INTEGER = '''
def read_integer(text, dtype):
    """Return the integer of a cell, which may be written `1.0`, if it is in the range of the type."""
    number = read_number(text, np.float64)
    if not number.is_integer():
        sys.exit(f"{text} is not an integer")
    # A float would lose digits of large integers.
    integer = int(text) if text.lstrip("+-").isdigit() else int(number)
    if not np.iinfo(dtype).min <= integer <= np.iinfo(dtype).max:
        sys.exit(f"{text} is out of the range of {dtype.__name__}")
    return integer

'''
_PROBABILITIES = {
    CLASSES: "np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()",
    LOG_CLASSES: "np.exp(scores)",
    PROBABILITIES: "scores",
    BINARY: "0.5 + 0.5 * np.tanh(scores / 2)",
    PROBABILITY: "scores",
}


def write_python(plan: ExamplePlan) -> str:
    """Return the program."""
    if "bfloat16" in plan.dtypes:
        raise NoExample("NumPy has no bfloat16: add `--keep-io`, so that inputs and outputs are float32")
    reading = _write_row_reading(plan) if plan.decoder is None else _write_image_reading(plan, plan.decoder)
    return "\n".join(
        [
            *reading,
            f"session = onnxruntime.InferenceSession(Path(__file__).with_name({plan.model!r}))",
            "outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs)))",
            *(line for output in plan.outputs for line in _write_output(output)),
            "",
        ]
    )


def _write_row_reading(plan: ExamplePlan) -> list[str]:
    """Write the program up to its `inputs`, for a row of arguments."""
    tables = [f"CATEGORIES = {plan.categories!r}"] if plan.categories else []
    tables += [_BOOLEANS] if BOOLEAN in plan.kinds else []
    tables += [f"MISSING = {sorted(MISSING)!r}"] if plan.may_be_empty else []
    return [
        '"""Predict one row with ONNX Runtime: `pip install onnxruntime`, then pass a value for each of COLUMNS as an argument."""',
        *_IMPORTS,
        "",
        f"COLUMNS = {[cell.name for cell in plan.cells]!r}",
        *tables,
        *_write_classes(plan),
        *"".join(_select_helpers(plan)).split("\n"),
        "if len(sys.argv) != len(COLUMNS) + 1:",
        '    sys.exit("the arguments are: " + " ".join(COLUMNS))',
        "cells = {name: text.strip() for name, text in zip(COLUMNS, sys.argv[1:])}",
        "inputs = {",
        *(f"    {item.name!r}: {_write_input(item)}," for item in plan.inputs),
        "}",
    ]


def _select_helpers(plan: ExamplePlan) -> list[str]:
    """Return the functions that read the cells, each before the functions that call it."""
    needed = ((_DAYS, DATE in plan.kinds), (_NUMBER, plan.reads_numbers), (_INTEGER, plan.reads_integers))
    return [helper for helper, is_needed in needed if is_needed]


def _write_image_reading(plan: ExamplePlan, decoder: ImageDecoder) -> list[str]:
    """Write the program up to its `inputs`, for the path of an image. The pixels are those that `ImageDecoder` gives."""
    (item,) = plan.inputs
    scaled = "(pixels / np.float32(255))" if decoder.floats else "pixels"
    return [
        '"""Predict an image with ONNX Runtime: `pip install onnxruntime pillow`, then pass the path of the image as an argument."""',
        *_IMPORTS,
        "from PIL import Image",
        "",
        *_write_classes(plan),
        "",
        "",
        "def read_image(path):",
        f'    """Return the pixels from 0 to {1 if decoder.floats else 255}, channels first, as the network was trained on them."""',
        "    image = Image.open(path)",
        # Pillow would clip pixels of 16 or 32 bits to 255 when it converts them
        '    if image.mode.startswith(("I", "F")):',
        '        sys.exit(f"the pixels are not of 8 bits: {image.mode}")',
        f"    image = image.convert({MODES[decoder.channels]!r})",
        *_write_resizing(decoder.size),
        f"    pixels = np.asarray(image).reshape(image.height, image.width, {decoder.channels}).transpose(2, 0, 1)",
        f"    return {scaled}.astype(np.{item.dtype})[None]",
        "",
        "",
        "if len(sys.argv) != 2:",
        '    sys.exit("the argument is the path of an image")',
        f"inputs = {{{item.name!r}: read_image(sys.argv[1])}}",
    ]


def _write_resizing(size: Size) -> list[str]:
    if size is None:
        return []
    if isinstance(size, tuple):
        height, width = size
        return [f"    image = image.resize(({width}, {height}), Image.Resampling.BILINEAR)"]
    return [
        # the rounding of `ImageDecoder`, so that the same pixels are cropped as in training
        f"    width, height = (int({size} * side / min(image.size)) for side in image.size)",
        f"    left, top = round((width - {size}) / 2), round((height - {size}) / 2)",
        "    image = image.resize((width, height), Image.Resampling.BILINEAR)",
        f"    image = image.crop((left, top, left + {size}, top + {size}))",
    ]


def _write_classes(plan: ExamplePlan) -> list[str]:
    classes = {output.name: output.classes for output in plan.outputs if output.classes}
    return [f"CLASSES = {classes!r}"] if classes else []


def _write_input(item: ExampleInput) -> str:
    numbers = ", ".join(_write_cell(cell, item.find_number_type(cell)) for cell in item.cells)
    return f"np.array([{numbers}], np.{item.dtype.replace('bool', 'bool_')}).reshape({item.shape!r})"


def _write_cell(cell: Cell, dtype: str) -> str:
    text, encoding = f"cells[{cell.name!r}]", cell.encoding
    if cell.kind == CATEGORY:
        number = f"CATEGORIES[{cell.name!r}].index({text})"
        return f"{number} if {text} in CATEGORIES[{cell.name!r}] else 0" if encoding.has_other else number
    read = "read_number" if dtype.startswith("float") else "read_integer"
    number = {BOOLEAN: f"BOOLEANS[{text}.lower()]", DATE: f"count_days({text})"}.get(cell.kind, f"{read}({text}, np.{dtype})")
    empty = "float('nan')" if encoding.fill is None else repr(encoding.fill)
    return f"{empty} if {text}.lower() in MISSING else {number}" if cell.may_be_empty else number


def _write_output(output: ExampleOutput) -> list[str]:
    value, classes = f"outputs[{output.name!r}][0]", f"CLASSES[{output.name!r}]"
    title = repr(f"{output.titles[0]}:")
    if output.task == LABEL:
        return ["", f"print({title}, {f'{classes}[int({value})]' if output.classes else f'int({value})'})"]
    lines = ["", f"scores = np.asarray({value}, np.float64).reshape(-1)"]
    if output.task in CLASS_TASKS:
        return [
            *lines,
            f"probabilities = {_PROBABILITIES[output.task]}",
            f"print({title}, {classes}[probabilities.argmax()])",
            f"for name, probability in sorted(zip({classes}, probabilities), key=lambda pair: -pair[1]):",
            '    print(f"  {name}  {probability:.4f}")',
        ]
    if output.task in BINARY_TASKS:
        return [
            *lines,
            f"no, yes = {classes}",
            f"for name, probability in zip({output.titles!r}, {_PROBABILITIES[output.task]}):",
            '    print(f"{name}: {yes if probability >= 0.5 else no}")',
            '    print(f"  {yes}  {probability:.4f}")',
        ]
    shown = "bool(value)" if output.dtype == "bool" else "value:.9g"
    return [
        *lines,
        f"for name, value in zip({output.titles!r}, {format_steps('scores', output.steps, 'np.')}):",
        f'    print(f"{{name}}: {{{shown}}}")',
    ]
