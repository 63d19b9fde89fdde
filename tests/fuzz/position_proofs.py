"""`python -m tests.fuzz.position_proofs`: claims about random specs, each of which running must not contradict."""

from __future__ import annotations

import sys
import warnings
from random import Random

import netc
from netc.compiler.proofs import Claim, ClaimRefused, Derivation, derive_claim
from netc.inputs.random_inputs import NoSizes
from netc.model import Model
from netc.proving.change_hidden import change_hidden_values
from tests.fuzz import spec_texts
from tests.fuzz.campaign import Found, main
from tests.fuzz.position_texts import position_text

CLAIMS = (Claim("ignores", "mask"), Claim("separates", "documents"), Claim("separates", "N"), Claim("separates", "T"))
_TRIES = 4


def check(random: Random, stem: str) -> Found:
    """One claim about one random text: with masks, or of any operators."""
    seed = random.randrange(2**31)
    if random.random() < 0.3:
        made = spec_texts.spec(random)
        if made is None or not made.model.program.symbols:
            return Found("without a dimension")
        model, text = made.model, made.text
        claim = Claim("separates", random.choice(model.program.symbols))
    else:
        text = position_text(random)
        model, claim = netc.compile(text), random.choice((CLAIMS[0], *CLAIMS))
    try:
        derivation = derive_claim(model.program, claim)
    except ClaimRefused:
        return Found("without positions")
    return _judge(model, derivation, seed, f"{claim.verb} {claim.name}\n{text}")


def _judge(model: Model, derivation: Derivation, seed: int, what: str) -> Found:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = change_hidden_values(model, derivation, seed, _TRIES, ("PyTorch",) if seed % 4 else ("PyTorch", "ONNX Runtime"))
    except NoSizes:
        return Found("without sizes")
    if not found.runtimes:
        return Found("not run")
    wrong = [name for name, cause in derivation.causes.items() if cause is None and name in found.differences]
    if wrong and derivation.hiding_stage is not None:
        return Found("assumption refuted")
    if wrong:
        return Found("contradicted", f"{wrong[0]}: {found.differences[wrong[0]]}\n{what}")
    if derivation.is_proved:
        return Found("proved for padding at the end" if derivation.setting.relation.ordered else "proved")
    shown = all(name in found.differences for name, cause in derivation.causes.items() if cause is not None)
    return Found("leak shown" if shown else "leak not shown")


if __name__ == "__main__":
    sys.exit(main(check, __doc__))
