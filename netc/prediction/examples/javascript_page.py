"""Write a page that predicts in a browser: a form with a field for each cell of a row, or a button for an image.

In: a plan. Out: one HTML file, which loads ONNX Runtime Web and the model from its own folder. Always: names and labels are data of the
page's script, written as JSON without `<`, and shown as texts, so none of them becomes markup or code.

    flowers_example.html    species: virginica
                            virginica   0.5108
"""

from __future__ import annotations

import json
from html import escape
from string import Template

from ...training.data.encodings import BOOLEAN, CATEGORY, DATE
from .example_plan import Cell, ExamplePlan
from .javascript_example import ARRAYS, check_dtypes, quote_url, write_description, write_row_reading
from .javascript_images import write_image_reading

RUNTIME = "./node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs"
_HINTS = {BOOLEAN: "true or false", DATE: "2026-01-31"}
_PAGE = Template("""<!doctype html>
<!-- In this folder: `npm install onnxruntime-web`, then `python -m http.server`, and open http://localhost:8000/$page. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
  h2 { font-size: 1.15rem; margin: 1.5rem 0 0.25rem; overflow-wrap: anywhere; }
  label { display: block; margin-top: 0.75rem; overflow-wrap: anywhere; }
  input, select, button { box-sizing: border-box; width: 100%; padding: 0.45rem 0.6rem; font: inherit; }
  button { margin-top: 1.25rem; cursor: pointer; }
  img { display: block; max-width: 100%; max-height: 16rem; margin-top: 1rem; }
  table { width: 100%; border-collapse: collapse; }
  th { text-align: left; font-weight: normal; overflow-wrap: anywhere; }
  td { text-align: right; font-variant-numeric: tabular-nums; padding: 0.1rem 0 0.1rem 0.75rem; }
  td.bar { width: 40%; }
  meter { width: 100%; }
  [role=alert] { color: light-dark(#b3261e, #ffb4ab); margin-top: 1rem; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
<form id="form"></form>
<p id="problem" role="alert"></p>
<section id="answers" aria-live="polite" aria-label="Prediction"></section>
<noscript>This page needs JavaScript.</noscript>
<script type="module">
$script
</script>
</body>
</html>
""")
_COMMON = """
const form = document.getElementById("form");
const problem = document.getElementById("problem");
const section = document.getElementById("answers");

function add(parent, tag, text = "", attributes = {}) {
  const element = parent.appendChild(document.createElement(tag));
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

async function load() {
  const ort = await import(runtime).catch(() => {
    throw new Error("ONNX Runtime Web is not in this folder: run `npm install onnxruntime-web` here");
  });
  const session = await ort.InferenceSession.create(model).catch((error) => {
    throw new Error(`the model ${model} cannot be loaded: serve this folder, for example with python -m http.server (${error.message})`);
  });
  return { ort, session };
}

function show(answers) {
  section.replaceChildren();
  for (const { title, answer, rows } of answers) {
    add(section, "h2", `${title}: ${answer}`);
    if (rows.length === 0) continue;
    const table = add(section, "table");
    for (const [name, probability] of rows) {
      const row = add(table, "tr");
      add(row, "th", name, { scope: "row" });
      add(add(row, "td", "", { class: "bar" }), "meter", "", { value: probability, "aria-hidden": "true" });
      add(row, "td", probability.toFixed(4));
    }
  }
}

async function predict(read) {
  problem.textContent = "";
  try {
    loading ??= load();
    ({ ort } = await loading.catch((error) => { loading = undefined; throw error; }));
    const { session } = await loading;
    show(describe(await session.run(await read())));
  } catch (error) {
    section.replaceChildren();
    problem.textContent = error.message;
  }
}

let ort, loading;"""
_ROW = """
fields.forEach(({ name, values, isOpen, isRequired, hint }, i) => {
  add(form, "label", name, { for: `field${i}` });
  const attributes = { id: `field${i}`, ...(isRequired ? { required: "" } : {}) };
  if (values.length > 0 && !isOpen) {
    const select = add(form, "select", "", attributes);
    for (const value of values) add(select, "option", value, { value });
  } else {
    const input = add(form, "input", "", { ...attributes, placeholder: hint, autocomplete: "off" });
    if (values.length > 0) {
      input.setAttribute("list", `values${i}`);
      const list = add(form, "datalist", "", { id: `values${i}` });
      for (const value of values) add(list, "option", "", { value });
    }
  }
});
add(form, "button", "Predict");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  predict(() => makeInputs(new Map(fields.map(({ name }, i) => [name, trim(document.getElementById(`field${i}`).value)]))));
});"""
_IMAGE = """
add(form, "label", "Image", { for: "image" });
const chooser = add(form, "input", "", { id: "image", type: "file", accept: "image/*" });
const preview = add(form, "img", "", { alt: "the chosen image", hidden: "" });
chooser.addEventListener("change", () => {
  const [file] = chooser.files;
  if (file === undefined) return;
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  predict(() => makeInputs(file));
});"""


def write_page(plan: ExamplePlan) -> str:
    """Return the page."""
    check_dtypes(plan)
    name = plan.model.removesuffix(".onnx")
    constants = [f"const runtime = {json.dumps(RUNTIME)};", f"const model = {json.dumps(quote_url(plan.model))};"]
    if plan.decoder is None:
        constants.append(f"const fields = {json.dumps([_describe_field(cell) for cell in plan.cells])};")
        reading, form = write_row_reading(plan), _ROW
    else:
        (item,) = plan.inputs
        reading, form = write_image_reading(item.name, item.dtype, ARRAYS[item.dtype], plan.decoder), _IMAGE
    lines = [*constants, *reading, *write_description(plan), _COMMON, form]
    # A `<` in a text would end the script: `</script>`. JavaScript reads the escape as the same character.
    script = "\n".join(_escape_strings(line) for line in lines)
    page = quote_url(f"{name}_example.html").removeprefix("./")
    return _PAGE.substitute(title=escape(_replace_undecodable(name)), page=page.replace("--", "%2D%2D"), script=script)


def _escape_strings(line: str) -> str:
    """Escape `</` and `<!`, which occur in texts alone: the code of the page has neither."""
    return line.replace("</", "\\u003c/").replace("<!", "\\u003c!")


def _replace_undecodable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _describe_field(cell: Cell) -> dict[str, object]:
    """Return the field of a cell. A category that training has not seen may be typed if the model has a number for it."""
    is_category = cell.kind == CATEGORY
    values = cell.encoding.categories if is_category else ("false", "true") if cell.kind == BOOLEAN else ()
    is_open = (is_category and cell.encoding.has_other) or cell.may_be_empty
    hint = "" if is_category else _HINTS.get(cell.kind, "")
    return {"name": cell.name, "values": values, "isOpen": is_open, "isRequired": not is_open, "hint": hint}
