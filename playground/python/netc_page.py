"""What the playground asks netc: the Python that runs in the page's worker.

In: the name of a question and its arguments as JSON. Out: an answer as JSON; an ONNX model as bytes. Always: a text has an answer whatever
is wrong with it; nothing of it is run, and what goes to the page is text, or markup that netc made with all text escaped.
"""

from __future__ import annotations

import json
import math
import os

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.dims import format_dim
from netc.compiler.errors.target_errors import UnsupportedByTarget
from netc.compiler.ops.operator import Operator
from netc.display.html_markup import add_styles, render_tree
from netc.dsl.diagnostics.render import render_text
from netc.model import Model
from netc.service.completion_items import find_completions
from netc.service.hover import make_hover
from netc.service.inlay_hints import list_hints
from netc.service.workspace import Workspace

NAME = "spec.net"
PATH = f"/page/{NAME}"
MOST_WEIGHTS = 3_000_000
"""Python in a page draws about a million numbers in a second or two."""
TYPED = 64
"""Parameters and inputs with no more numbers than that can be typed."""


class Page:
    """The one text of the page."""

    def __init__(self):
        self.workspace = Workspace()
        self.text = None

    def checked(self, text, model):
        if text != self.text:
            self.workspace.open_text(PATH, text)
            self.text = text
        chosen = self.workspace._models.get(os.path.realpath(PATH))
        if model != chosen:
            self.workspace.choose_model(PATH, model)
        return self.workspace.check_text(PATH)

    def check(self, text, model=None):
        """Errors, shapes and what the model is called with: what is asked after each key."""
        checked = self.checked(text, model)
        view = checked.view
        found = checked.collect_diagnostics(tuple([d for section in checked.elaborate_sections() for d in section.diagnostics]))
        own = [d for d in found if d.span.file is checked.source]
        return {
            "diagnostics": [_diagnostic(d) for d in own],
            "rendered": render_text(found).replace(PATH, NAME) if found else "",
            "hints": [{"at": one.offset, "text": one.text, "whole": one.full_text} for one in list_hints(checked)],
            "models": [name for name in checked.models if name],
            "inputs": _inputs(view.program) if view.program else [],
            "parameters": _parameters(view.program) if view.program else [],
        }

    def _model(self, text, model):
        program = self.checked(text, model).view.program
        if program is None:
            raise ValueError("the spec has errors")
        return Model(program)

    def summary(self, text, model=None):
        """The stages as a tree that opens by a click."""
        made = self._model(text, model).summary()
        return add_styles(render_tree(made.name, made.inputs, made.rows, made.total_lines()))

    def picture(self, text, model=None):
        from netc.drawing.page import render_html
        from netc.drawing.picture_levels import make_picture

        """All pages of the picture: boxes open by a click."""
        return render_html(make_picture(self._model(text, model).program))

    def source(self, text, model=None):
        """PyTorch source."""
        try:
            return self._model(text, model).source()
        except ValueError as error:
            return f"# {error}"

    def complete(self, text, offset, model=None):
        found = find_completions(self.checked(text, model), offset)
        return [{"label": s.label, "kind": s.kind, "start": s.start, "detail": s.detail, "insert": s.insert or s.label} for s in found]

    def hover(self, text, offset, model=None):
        found = make_hover(self.checked(text, model), offset)
        return None if found is None else {"from": found.span.start, "to": found.span.end, "text": found.text}

    def onnx(self, text, model=None, seed=7, weights=None):
        """The bytes of the model. `weights` are numbers for some of the parameters; the others are drawn."""
        import numpy as np

        from netc.compiler.backends.backend import GraphOptions
        from netc.compiler.backends.onnx.onnx_model import build_model_proto
        from netc.compiler.weights.initial import draw_initial_values

        program = self._model(text, model).program
        infos = collect_parameters(program)
        count = sum(math.prod(info.shape) for info in infos.values())
        if count > MOST_WEIGHTS:
            raise ValueError(f"the model has {count:,} numbers, which is too many for a page: `netc run` runs it")
        arrays = draw_initial_values(infos, seed)
        for name, numbers in (weights or {}).items():
            info = infos[name]
            if len(numbers) != math.prod(info.shape):
                raise ValueError(f"`{name}` has {math.prod(info.shape)} numbers, not {len(numbers)}")
            arrays[name] = np.asarray(numbers, info.dtype.name).reshape(tuple(info.shape))
        for info in infos.values():
            if info.tied_to in (weights or {}):
                arrays[info.name] = arrays[info.tied_to]
        try:
            return build_model_proto(program, arrays, program.main.name, options=GraphOptions(optimize=False)).SerializeToString()
        except UnsupportedByTarget as error:
            raise ValueError(str(error)) from None


def _diagnostic(one):
    return {
        "from": one.span.start,
        "to": max(one.span.end, one.span.start + 1),
        "severity": one.severity,
        "code": one.code,
        "message": "\n".join(part for part in (one.message, one.label, *one.notes) if part),
        "help": [*one.help],
        "edits": [{"from": e.span.start, "to": e.span.end, "insert": e.text} for e in one.edits if e.span.file is one.span.file],
    }


def _inputs(program):
    return [
        {"name": value.name, "type": value.type.dtype.name, "shape": [d if isinstance(d, int) else format_dim(d) for d in value.type.shape]}
        for value in program.main.inputs
    ]


def _parameters(program):
    return [
        {"name": name, "shape": [*info.shape], "typed": math.prod(info.shape) <= TYPED and info.dtype.is_float}
        for name, info in collect_parameters(program).items()
        if info.tied_to is None
    ]


def words():
    """The words of the language, for the colors of the editor."""
    from netc.compiler.types.tensor_types import DTYPES
    from netc.dsl.grammar import load_tables

    operators = [name for name, operator in Operator.registry.items() if operator.operands]
    return {"keywords": [*load_tables().keywords], "operators": operators, "types": [*DTYPES]}


PAGE = Page()


def ask(question, arguments):
    """The answer to a question as JSON."""
    return json.dumps(words() if question == "words" else getattr(PAGE, question)(**json.loads(arguments)))


def ask_onnx(arguments):
    """The bytes of an ONNX model."""
    return PAGE.onnx(**json.loads(arguments))
