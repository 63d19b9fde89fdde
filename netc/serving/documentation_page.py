"""The page `/docs`: the columns of the model, an example and the paths, as HTML that loads nothing else.

In: the description by OpenAPI. Out: the text of the page. Always: every name of a column, a class or the model is escaped, so it never
becomes markup, and the page has no script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from shlex import quote
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of the page: nothing is loaded, and nothing runs."""
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 880px; margin: 32px auto; padding: 0 20px }
h1 { font-size: 24px } h2 { font-size: 19px; margin-top: 32px } pre { background: #f5f5f5; padding: 12px; overflow-x: auto }
table { border-collapse: collapse } th, td { padding: 4px 14px 4px 0; text-align: left; border-bottom: 1px solid #e5e5e5 }
td { vertical-align: top; overflow-wrap: anywhere }
"""
_MAX_SHOWN = 12


def write_page(api: Mapping[str, Any]) -> str:
    """Return the page."""
    title, schemas = escape(api["info"]["title"]), api["components"]["schemas"]
    row = schemas["Row"]
    paths = [(method.upper(), path, item["summary"]) for path, methods in api["paths"].items() for method, item in methods.items()]
    parts = [
        f"<h1>{title}</h1><p>{escape(api['info']['description'])}</p>",
        "<p><a href='openapi.json'>openapi.json</a> describes this API for programs.</p>",
        "<h2>Columns of a row</h2>",
        _format_table(("column", "value"), ((name, _describe(schema)) for name, schema in row["properties"].items())),
        *_format_example(row.get("examples", ())),
        "<h2>Columns of the answer</h2>",
        _format_table(("column", "value"), ((name, _describe(schema)) for name, schema in schemas["Prediction"]["properties"].items())),
        "<h2>Paths</h2>",
        _format_table(("method", "path", ""), paths),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _format_example(examples: Iterable[Any]) -> list[str]:
    example = next(iter(examples), None)
    if example is None:
        return []
    # In quotes of the shell, so that a name with a quote in it is no command.
    command = f"curl localhost:8000/predict --json {quote(json.dumps(example, ensure_ascii=False))}"
    return ["<h2>Example</h2>", f"<pre>{escape(command)}</pre>"]


def _format_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _describe(schema: Mapping[str, Any]) -> str:
    """Return words for the values of a schema."""
    if "anyOf" in schema:
        return " or ".join(_describe(part) for part in schema["anyOf"])
    kinds = schema.get("type", "any value")
    words = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if words.startswith("array"):
        size = f"{schema['minItems']} " if "minItems" in schema else ""
        return f"array of {size}({_describe(schema['items'])})"
    names = schema.get("enum") or schema.get("examples") or []
    listed = ", ".join(names[:_MAX_SHOWN]) + (", ..." if len(names) > _MAX_SHOWN else "")
    notes = [schema["description"]] if "description" in schema else []
    return ": ".join([words, *notes, *([listed] if listed else [])])
