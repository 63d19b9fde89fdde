"""`python -m tests.fuzz.specs`: random specs that compile, each looked at in one of several ways: run in PyTorch and from its source; in
ONNX Runtime, for some opset; in another element type; as a text again; imported from PyTorch or from ONNX.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from random import Random

import numpy as np
import onnx
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.dims import SymDim, format_dim, free_symbols
from netc.compiler.frontends.imported_model import ImportFailed
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from netc.inputs.random_inputs import NoSizes
from tests.fuzz import spec_texts
from tests.fuzz.campaign import Found, main
from tests.fuzz.spec_cases import OF_NUMBERS, Case, Refused, cases
from tests.fuzz.spec_texts import Crashed, Spec, compiled, spec
from tests.net.same import has_scan, same_results, signature
from tests.parity import SEED, arguments, executed, flattened, tensor

OPSETS = range(17, 24)
NO_COUNTERPART = frozenset(("onnx-unsupported", "spec-unsupported"))
"""What a target cannot express, as its error says."""


def in_pytorch(made: Spec, random: Random, stem: str) -> None:
    """The module computes what PyTorch does, and its source what the module does."""
    module = made.model.module(seed=SEED).eval()
    source = executed(made.model, module.state_dict())
    for case in cases(made.model, module):
        case.check("module", case.run(module))
        pairs = zip(case.run(module), case.run(source), strict=True) if case.decided else ()
        for one, other in pairs:
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def in_onnx(made: Spec, random: Random, stem: str) -> None:
    """A file for some opset computes it too."""
    proto = made.model.onnx(seed=SEED, opset=random.choice(OPSETS), optimize=random.random() < 0.7, functions=random.random() < 0.3)
    onnx.checker.check_model(proto, full_check=True)
    session = OnnxSession(proto)
    for case in cases(made.model):
        case.check("ONNX Runtime", _results(session, case))


def _results(session: OnnxSession, case: Case) -> list[torch.Tensor]:
    found = session(*case.fed)
    arrays = list(found.values()) if isinstance(found, dict) else [found]
    pairs = zip(arrays, case.model.outputs.values(), strict=True)
    return [tensor(np.asarray(array, np.float64) if t.dtype.is_float else array, t) for array, t in pairs]


def in_another_type(made: Spec, random: Random, stem: str) -> None:
    """In float64 it computes the same, and in narrow types something of its shapes; the picture and the summary are made too."""
    dtype = random.choice(("float64", "float64", "float16", "bfloat16"))
    try:
        model = made.model.in_type(dtype)
    except netc.CompileError:
        return  # it has operators that need another type
    str(made.model.summary())
    made.model.draw(f"{stem}.svg")
    model.onnx(seed=SEED)
    module = model.module(made.model.module(seed=SEED).state_dict()).eval()
    for case in cases(made.model):
        fed = [x.to(getattr(torch, t.dtype.name)) for x, t in zip(case.fed, model.inputs.values(), strict=True)]
        with torch.no_grad():
            found = flattened(module(*arguments(model, fed)))
        assert [str(one.dtype) for one in found] == [f"torch.{t.dtype.name}" for t in model.outputs.values()]
        if dtype == "float64":
            case.check(dtype, [one.to(wanted.dtype) for one, wanted in zip(found, case.wanted, strict=True)])


def as_text(made: Spec, random: Random, stem: str) -> None:
    """The text laid out has the same source, and that which is made of the graph the same operators, or others that compute the same."""
    laid_out, problems = format_source(SourceFile("a.net", made.text))
    assert laid_out is not None, problems
    assert netc.compile(laid_out).source() == made.model.source(), "another source after formatting"
    if any(one.listed for one in made.model.program.main.tuples):
        return  # refused: tests/net/test_round_trip.py
    text = write_program(made.model.program)
    again = netc.compile(text)
    assert list(again.outputs.values()) == list(made.model.outputs.values()), text
    assert again.inputs.keys() != made.model.inputs.keys() or again.outputs.keys() == made.model.outputs.keys(), text
    assert again.parameters.keys() == made.model.parameters.keys(), text
    if has_scan(made.model) or signature(again.program) != signature(made.model.program):  # `[8]` is written as `8`
        assert same_results(made.model, again), text


def written_otherwise(made: Spec, random: Random, stem: str) -> None:
    """A stage in brackets, in a loop of one or in a branch that is taken computes the same."""
    other = compiled(spec_texts.written_otherwise(made.text, random))
    if other is None:
        return
    modules = [one.model.module(seed=SEED).eval() for one in (made, other)]
    values, names = list(modules[0].state_dict().values()), list(modules[1].state_dict())
    assert len(values) == len(names), other.text
    modules[1].load_state_dict(dict(zip(names, values, strict=True)))
    for case in cases(made.model, modules[0]):
        try:
            case.check("otherwise", case.run(modules[1]))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{other.text}") from None


def from_pytorch(made: Spec, random: Random, stem: str) -> None:
    """Imported from its module, it is proved."""
    module = made.model.module(seed=SEED).eval()
    for case in cases(made.model, module):
        if case.steady:
            dims = {at: _axes(t.shape) for at, t in enumerate(made.model.inputs.values())}
            netc.from_torch(module, tuple(arguments(made.model, case.fed)), dims)
        return


def _axes(shape: tuple[object, ...]) -> dict[int, str]:
    """The axes that have a name."""
    return {at: format_dim(dim) for at, dim in enumerate(shape) if isinstance(dim, SymDim) and format_dim(dim) in free_symbols(dim)}


def from_onnx(made: Spec, random: Random, stem: str) -> None:
    """Imported from its file, it is proved."""
    if not all(case.steady for case in cases(made.model)):
        return
    made.model.save(f"{stem}.onnx", seed=SEED, opset=random.choice(OPSETS), optimize=random.random() < 0.7)
    netc.from_onnx(f"{stem}.onnx")


WAYS: tuple[Callable[[Spec, Random, str], None], ...] = (
    in_pytorch,
    in_onnx,
    in_another_type,
    as_text,
    written_otherwise,
    from_pytorch,
    from_onnx,
)


def check(random: Random, stem: str) -> Found:
    """One spec, looked at in one way."""
    warnings.simplefilter("ignore")  # PyTorch warns of uses that nobody would write
    way = random.choice(WAYS)
    try:
        made = spec(random)
    except Crashed as error:
        return Found("crashed", f"{error.__cause__!r:.300}\n{error}")
    if made is None:
        return Found("no spec")
    kind, what = _judged(made, way, random, stem)
    return Found(kind, what and f"{way.__name__}: {what}\n{made.text}")


def _judged(made: Spec, way: Callable[[Spec, Random, str], None], random: Random, stem: str) -> tuple[str, str]:
    """What became of it, and what is wrong with that."""
    try:
        way(made, random, stem)
    except NoSizes:
        return "no sizes", ""
    except NoKernel:
        return "no kernel", ""
    except ImportFailed:
        return "not imported", ""
    except Refused as error:
        return "refused by PyTorch", "" if OF_NUMBERS.search(str(error)) else str(error)
    except NotImplementedError:  # PyTorch has few kernels for halves on a CPU
        return "no kernel", ""
    except netc.CompileError as error:
        unsupported = {d.code for d in error.diagnostics if d.severity == "error"} <= NO_COUNTERPART
        return ("unsupported", "") if unsupported else ("refused", str(error)[:600])
    except Exception as error:  # whatever it is, it is wrong
        return type(error).__name__, f"{error!s:.600}"
    return "agrees", ""


if __name__ == "__main__":
    sys.exit(main(check, "specs"))
