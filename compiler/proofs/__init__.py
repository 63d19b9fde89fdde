"""Prove that hidden positions do not matter, by an abstract interpretation of the typed graph.

In: a program and a claim about one of its inputs or dimensions. Out: a `Derivation`: for each output, a proof or the operator that leaks,
and the assumptions of the proof. Always: a claim that is proved holds for all inputs and all weights under the assumptions.

    >>> import netc
    >>> program = netc.compile("x = input [T, 4]; mask = input [T] bool; y = x -> relu; z = x -> mean axis=1; out y, z").program
    >>> derivation = derive_claim(program, Claim("ignores", "mask"))
    >>> [None if cause is None else cause.operator for cause in derivation.causes.values()]
    [None, 'mean']
"""

from . import rules as rules
from .claims import Claim as Claim
from .claims import ClaimRefused as ClaimRefused
from .interpret_program import Derivation as Derivation
from .interpret_program import derive_claim as derive_claim
from .interpret_program import find_mixing_stage as find_mixing_stage
