"""Write the example in JavaScript: a module for Node, and the part of it that a page has too. Names are written as JSON, which is
JavaScript."""

from __future__ import annotations

import json
from math import isnan

import numpy as np

from ...training.data.encodings import BOOLEAN, CATEGORY, DATE
from ...training.data.table_cells import MISSING
from ..model_signature import BINARY, CLASSES, LABEL, LOG_CLASSES, PROBABILITIES, PROBABILITY
from .example_plan import BINARY_TASKS, CLASS_TASKS, Cell, ExampleInput, ExampleOutput, ExamplePlan, NoExample, format_steps

ARRAYS = {
    "float32": "Float32Array",
    "float64": "Float64Array",
    "int64": "BigInt64Array",
    "int32": "Int32Array",
    "int16": "Int16Array",
    "int8": "Int8Array",
    "uint8": "Uint8Array",
    "bool": "Uint8Array",
}
_BOOLEANS = "const booleans = { true: 1, false: 0, yes: 1, no: 0, t: 1, f: 0, y: 1, n: 0 };"
_CHECK = """function check(value, cell) {
  if (value === undefined || value < 0) throw new Error(`no number is known for ${cell}`);
  return value;
}"""
_NUMBER = """function readNumber(text, greatest) {
  // Number("") is 0, and Number("0x10") is 16.
  if (!/^[+-]?(\\d+\\.?\\d*|\\.\\d+)(e[+-]?\\d+)?$/i.test(text)) throw new Error(`${text} is not a number`);
  const number = Number(text);
  if (Math.abs(number) > greatest) throw new Error(`${text} is too large`);
  return number;
}"""
_INTEGER = """function readInteger(text, least, greatest) {
  // A Number would lose digits of large integers.
  const number = readNumber(text, Number.MAX_VALUE);
  if (!Number.isInteger(number)) throw new Error(`${text} is not an integer`);
  const integer = BigInt(/^[+-]?\\d+$/.test(text) ? text : number);
  if (integer < least || integer > greatest) throw new Error(`${text} is not between ${least} and ${greatest}`);
  return integer;
}"""
_DAYS = """function countDays(text) {
  // A date without a time zone is UTC, as in training.
  const days = Date.parse(text.includes("T") && !/(Z|[+-]\\d\\d:?\\d\\d)$/.test(text) ? text + "Z" : text) / 86400000;
  if (Number.isNaN(days)) throw new Error(`${text} is no date such as 2026-01-31`);
  return days;
}"""
_TRIM = """function trim(text) {
  return text.replace(/^[ \\t\\r\\n]+|[ \\t\\r\\n]+$/g, "");
}"""
_SOFTMAX = """function softmax(scores) {
  const exponentials = scores.map((score) => Math.exp(score - Math.max(...scores)));
  const sum = exponentials.reduce((before, exponential) => before + exponential, 0);
  return exponentials.map((exponential) => exponential / sum);
}"""
_PROBABILITIES = {
    CLASSES: "softmax(scores)",
    LOG_CLASSES: "scores.map(Math.exp)",
    PROBABILITIES: "scores",
    BINARY: "scores.map((score) => 0.5 + 0.5 * Math.tanh(score / 2))",
    PROBABILITY: "scores",
}


def write_javascript(plan: ExamplePlan) -> str:
    """Return the program for Node."""
    if plan.decoder is not None:
        raise NoExample("Node reads no images without another library: write `--example python`")
    return "\n".join(
        [
            "// Predict one row with ONNX Runtime: `npm install onnxruntime-web`, then pass a value for each of `columns` as an argument.",
            'import { readFile } from "node:fs/promises";',
            'import * as ort from "onnxruntime-web";',
            "",
            f"const columns = {json.dumps([cell.name for cell in plan.cells])};",
            *write_row_reading(plan),
            *write_description(plan),
            "",
            "const values = process.argv.slice(2);",
            "if (values.length !== columns.length) {",
            '  console.error("the arguments are: " + columns.join(" "));',
            "  process.exit(1);",
            "}",
            "const inputs = makeInputs(new Map(columns.map((name, i) => [name, trim(values[i])])));",
            f"const model = await readFile(new URL({json.dumps(quote_url(plan.model))}, import.meta.url));",
            "const session = await ort.InferenceSession.create(model);",
            "for (const { title, answer, rows } of describe(await session.run(inputs))) {",
            "  console.log(`${title}: ${answer}`);",
            "  for (const [name, probability] of rows) console.log(`  ${name}  ${probability.toFixed(4)}`);",
            "}",
            "",
        ]
    )


def write_row_reading(plan: ExamplePlan) -> list[str]:
    """Write the function `makeInputs`, which makes tensors of the texts of cells, with its helpers."""
    check_dtypes(plan)
    helpers = [_BOOLEANS] if BOOLEAN in plan.kinds else []
    helpers += [f"const categories = {json.dumps(plan.categories)};"] if plan.categories else []
    helpers += [_CHECK] if helpers else []
    helpers += [f"const missing = {json.dumps(sorted(MISSING))};"] if plan.may_be_empty else []
    helpers += [_NUMBER] if plan.reads_numbers else []
    helpers += [_INTEGER] if plan.reads_integers else []
    helpers += [_DAYS] if DATE in plan.kinds else []
    return [
        *(line for helper in (_TRIM, *helpers) for line in ("", helper)),
        "",
        "function makeInputs(cells) {",
        "  return {",
        *(f"    {json.dumps(item.name)}: {_write_input(item)}," for item in plan.inputs),
        "  };",
        "}",
    ]


def write_description(plan: ExamplePlan) -> list[str]:
    """Write the function `describe`, which returns the answers that the outputs mean: a title, an answer, and names with probabilities."""
    return [
        *(("", _SOFTMAX) if any(output.task == CLASSES for output in plan.outputs) else ()),
        "",
        "function describe(outputs) {",
        "  const answers = [];",
        *(line for output in plan.outputs for line in _write_output(output)),
        "  return answers;",
        "}",
    ]


def check_dtypes(plan: ExamplePlan) -> None:
    """Raise `NoExample` for an element type that JavaScript has no array of."""
    for dtype in plan.dtypes:
        if dtype not in ARRAYS:
            raise NoExample(f"JavaScript has no {dtype}: add `--keep-io`, so that inputs and outputs are float32")


def quote_url(name: str) -> str:
    """Return the relative URL of a file."""
    from urllib.parse import quote

    return f"./{quote(name, errors='surrogateescape')}"


def _write_input(item: ExampleInput) -> str:
    numbers = ", ".join(_write_cell(cell, item) for cell in item.cells)
    return f'new ort.Tensor("{item.dtype}", {ARRAYS[item.dtype]}.from([{numbers}]), {list(item.shape)!r})'


def _write_cell(cell: Cell, item: ExampleInput) -> str:
    """Write the number of an argument. Integers are read as BigInts, which a BigInt64Array needs and the other arrays refuse."""
    key, is_exact = json.dumps(cell.name), item.reads_integer(cell)
    text, encoding = f"cells.get({key})", cell.encoding
    if cell.kind == CATEGORY:
        index = f"categories[{key}].indexOf({text})"
        number = f"Math.max(0, {index})" if encoding.has_other else f"check({index}, {text})"
    elif cell.kind == BOOLEAN:
        number = f"check(booleans[{text}.toLowerCase()], {text})"
    else:
        number = f"countDays({text})" if cell.kind == DATE else _write_number(text, item.find_number_type(cell))
    if cell.may_be_empty:
        fill = "NaN" if encoding.fill is None or isnan(encoding.fill) else repr(encoding.fill)
        number = f"(missing.includes({text}.toLowerCase()) ? {f'{int(encoding.fill or 0)}n' if is_exact else fill} : {number})"
    if is_exact == (item.dtype == "int64"):
        return number
    return f"Number({number})" if is_exact else f"BigInt({number})"


def _write_number(text: str, dtype: str) -> str:
    if dtype.startswith("float"):
        return f"readNumber({text}, {float(np.finfo(dtype).max)!r})"
    return f"readInteger({text}, {np.iinfo(dtype).min}n, {np.iinfo(dtype).max}n)"


def _write_output(output: ExampleOutput) -> list[str]:
    data, classes = f"outputs[{json.dumps(output.name)}].data", json.dumps(output.classes)
    if output.task == LABEL:
        answer = f"{classes}[Number({data}[0])]" if output.classes else f"`${{{data}[0]}}`"
        return [f"  answers.push({{ title: {json.dumps(output.titles[0])}, answer: {answer}, rows: [] }});"]
    lines = ["  {", f"    const scores = Array.from({data}, Number);"]
    if output.task in CLASS_TASKS:
        return [
            *lines,
            f"    const classes = {classes};",
            f"    const probabilities = {_PROBABILITIES[output.task]};",
            "    const order = classes.map((_, i) => i).sort((i, j) => probabilities[j] - probabilities[i]);",
            "    const rows = order.map((i) => [classes[i], probabilities[i]]);",
            f"    answers.push({{ title: {json.dumps(output.titles[0])}, answer: classes[order[0]], rows }});",
            "  }",
        ]
    lines.append(f"    const titles = {json.dumps(output.titles)};")
    if output.task in BINARY_TASKS:
        return [
            *lines,
            f"    const [no, yes] = {classes};",
            f"    {_PROBABILITIES[output.task]}.forEach((probability, i) => {{",
            "      answers.push({ title: titles[i], answer: probability >= 0.5 ? yes : no, rows: [[yes, probability]] });",
            "    });",
            "  }",
        ]
    value = 'score ? "True" : "False"' if output.dtype == "bool" else format_steps("score", output.steps, "Math.")
    return [*lines, f"    scores.forEach((score, i) => answers.push({{ title: titles[i], answer: `${{{value}}}`, rows: [] }}));", "  }"]
