"""What `netc check` finds in a spec of one model: in the model, and in its train sections; and `netc train` in the data that they name."""

from __future__ import annotations

from pathlib import Path

from netc.analysis import Analysis, analyze_training, check_sections, parse_spec, read_and_analyze
from netc.cli.spec_sources import make_reader
from netc.compiler.backends.backend_names import OPSET
from netc.compiler.ir.training_program import Training
from netc.compiler.proofs import Claim
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import sort_and_dedupe
from netc.dsl.record import replace
from netc.proving.check_kernels import check_kernels
from netc.proving.claim_reports import report_claim
from netc.streaming.causal_proof import prove_causal
from netc.training.locate_data import DataRequest
from netc.training.open_data import open_data
from netc.training.recipe import read_recipe
from tests.errors.options import chosen, words_of


def _of_data(training: Training | None, path: Path) -> list[Diagnostic]:
    if training is None:
        return []
    recipe, problems = read_recipe(training)
    return [] if problems or recipe.data is None else list(open_data(training, recipe, DataRequest(spec=str(path))).diagnostics)


def checked(path: Path) -> Analysis:
    """The analysis of the model, with the diagnostics of the sections too."""
    text = path.read_text(encoding="utf-8")
    choice = chosen(text)
    read = make_reader(str(path), None)
    model = read_and_analyze(read, choice)
    sections = [d for one in check_sections(parse_spec(model.sources[0], choice, str(path))) for d in one.diagnostics]
    sections += _of_data(analyze_training(model.sources[0], choice, str(path)).training, path)
    if model.program is not None:
        causal = [value for option, value in words_of(text) if option == "--causal"]
        sections += [d for dimension in causal for d in prove_causal(model.program, dimension).diagnostics]
        claims = [Claim("ignores", v) for o, v in words_of(text) if o == "--ignores"]
        claims += [Claim("separates", v) for o, v in words_of(text) if o == "--separates"]
        sections += [d for claim in claims for d in report_claim(model.program, claim)]
        opset = next((int(value) for option, value in words_of(text) if option == "--opset"), OPSET)
        devices = [value for option, value in words_of(text) if option == "--device"]
        sections += [d for device in devices for d in check_kernels(model.program, device, opset).diagnostics]
    if not sections:
        return model.require_model()
    return replace(model, diagnostics=tuple(sort_and_dedupe([*model.diagnostics, *sections])))
