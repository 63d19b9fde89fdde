"""Inputs and arguments of those operators for which a draw from the declaration hardly ever fits, or not in numbers that can be compared.

In: types of inputs, with integers for sizes. Out: some of the arguments; None leaves one out, and what is not named is drawn from its kind.
An operator needs an entry only where its arguments are a language of their own (patterns, equations), follow from several sizes at once
(states of recurrences, masks), or decide by rounding what the result is.
"""

from __future__ import annotations

from tests.differential.special import attention, images, losses, recurrences, texts, transforms
from tests.differential.special.drawing import Arguments, Inputs

FAMILIES = (attention, images, losses, recurrences, texts, transforms)

INPUTS: dict[str, Inputs] = {name: inputs for family in FAMILIES for name, inputs in family.INPUTS.items()}
ARGUMENTS: dict[str, Arguments] = {name: arguments for family in FAMILIES for name, arguments in family.ARGUMENTS.items()}
