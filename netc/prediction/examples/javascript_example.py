"""Write the example in JavaScript, a module for Node. JSON is JavaScript, so names are written as JSON."""

from __future__ import annotations

import json
from math import isnan

from ...training.data.encodings import BOOLEAN, CATEGORY, DATE, INTEGER, NUMBER
from ..model_signature import BINARY, CLASSES, LABEL, LOG_CLASSES, PROBABILITIES, PROBABILITY
from .example_plan import BINARY_TASKS, CLASS_TASKS, Cell, ExampleInput, ExampleOutput, ExamplePlan, NoExample, format_steps

_ARRAYS = {
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
_NUMBER = """function given(text) {
  if (text.trim() === "") throw new Error("a value is empty");
  return text;
}

function readNumber(text) {
  // Number("") is 0.
  const number = Number(given(text));
  if (Number.isNaN(number)) throw new Error(`${text} is not a number`);
  return number;
}"""
_DAYS = """function countDays(text) {
  // A date without a time zone is UTC, as in training.
  const days = Date.parse(text.includes("T") && !/(Z|[+-]\\d\\d:?\\d\\d)$/.test(text) ? text + "Z" : text) / 86400000;
  if (Number.isNaN(days)) throw new Error(`${text} is no date such as 2026-01-31`);
  return days;
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
    """Return the program."""
    if plan.decoder is not None:
        raise NoExample("JavaScript reads no images without another library: write `--example python`")
    for dtype in plan.dtypes:
        if dtype not in _ARRAYS:
            raise NoExample(f"JavaScript has no {dtype}: add `--keep-io`, so that inputs and outputs are float32")
    helpers = [_BOOLEANS] if BOOLEAN in plan.kinds else []
    helpers += [f"const categories = {json.dumps(plan.categories)};"] if plan.categories else []
    helpers += [_CHECK] if helpers else []
    helpers += [_NUMBER] if plan.kinds & {NUMBER, INTEGER} else []
    helpers += [_DAYS] if DATE in plan.kinds else []
    helpers += [_SOFTMAX] if any(output.task == CLASSES for output in plan.outputs) else []
    return "\n".join(
        [
            "// Predict one row with ONNX Runtime: `npm install onnxruntime-web`, then pass a value for each of `columns` as an argument.",
            'import { readFile } from "node:fs/promises";',
            'import * as ort from "onnxruntime-web";',
            "",
            f"const columns = {json.dumps([cell.name for cell in plan.cells])};",
            *(line for helper in helpers for line in ("", helper)),
            "",
            "const values = process.argv.slice(2);",
            "if (values.length !== columns.length) {",
            '  console.error("the arguments are: " + columns.join(" "));',
            "  process.exit(1);",
            "}",
            "const cells = new Map(columns.map((name, i) => [name, values[i]]));",
            "const inputs = {",
            *(f"  {json.dumps(item.name)}: {_write_input(item)}," for item in plan.inputs),
            "};",
            f"const model = await readFile(new URL({json.dumps(_quote_url(plan.model))}, import.meta.url));",
            "const session = await ort.InferenceSession.create(model);",
            "const outputs = await session.run(inputs);",
            *(line for output in plan.outputs for line in _write_output(output)),
            "",
        ]
    )


def _quote_url(name: str) -> str:
    from urllib.parse import quote

    return f"./{quote(name, errors='surrogateescape')}"


def _write_input(item: ExampleInput) -> str:
    is_wide = item.dtype == "int64"
    # a BigInt64Array takes no Numbers, which are exact up to 2**53 only
    numbers = ", ".join(f"BigInt({_write_cell(cell, True)})" if is_wide else _write_cell(cell, False) for cell in item.cells)
    return f'new ort.Tensor("{item.dtype}", {_ARRAYS[item.dtype]}.from([{numbers}]), {list(item.shape)!r})'


def _write_cell(cell: Cell, is_wide: bool) -> str:
    """Write the number of an argument. `is_wide`: it becomes a BigInt, which has digits that a Number would lose."""
    key = json.dumps(cell.name)
    text, encoding = f"cells.get({key})", cell.encoding
    if cell.kind == CATEGORY:
        index = f"categories[{key}].indexOf({text})"
        return f"Math.max(0, {index})" if encoding.has_other else f"check({index}, {text})"
    number = {
        BOOLEAN: f"check(booleans[{text}.toLowerCase()], {text})",
        DATE: f"countDays({text})",
        INTEGER: f"given({text})" if is_wide else f"readNumber({text})",
    }.get(cell.kind, f"readNumber({text})")
    if encoding.fill is None and not encoding.allows_missing:
        return number
    empty = "NaN" if encoding.fill is None or isnan(encoding.fill) else repr(encoding.fill)
    return f'({text} === "" ? {empty} : {number})'


def _write_output(output: ExampleOutput) -> list[str]:
    data, classes = f"outputs[{json.dumps(output.name)}].data", json.dumps(output.classes)
    title = json.dumps(f"{output.titles[0]}: ")
    if output.task == LABEL:
        return ["", f"console.log({title} + {f'{classes}[Number({data}[0])]' if output.classes else f'{data}[0]'});"]
    lines = ["", "{", f"  const scores = Array.from({data}, Number);"]
    if output.task in CLASS_TASKS:
        return [
            *lines,
            f"  const classes = {classes};",
            f"  const probabilities = {_PROBABILITIES[output.task]};",
            "  const order = classes.map((_, i) => i).sort((i, j) => probabilities[j] - probabilities[i]);",
            f"  console.log({title} + classes[order[0]]);",
            "  for (const i of order) console.log(`  ${classes[i]}  ${probabilities[i].toFixed(4)}`);",
            "}",
        ]
    titles = json.dumps(output.titles)
    if output.task in BINARY_TASKS:
        return [
            *lines,
            f"  const titles = {titles}, [no, yes] = {classes};",
            f"  {_PROBABILITIES[output.task]}.forEach((probability, i) => {{",
            "    console.log(`${titles[i]}: ${probability >= 0.5 ? yes : no}`);",
            "    console.log(`  ${yes}  ${probability.toFixed(4)}`);",
            "  });",
            "}",
        ]
    value = format_steps("score", output.steps, "Math.")
    return [*lines, f"  const titles = {titles};", f"  scores.forEach((score, i) => console.log(`${{titles[i]}}: ${{{value}}}`));", "}"]
