"""What is run on a device: every operator's examples and cases, and the small models of the zoo.

In: the name of a part. Out: names with models and inputs, one after another.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from zoo.small import SMALL

import netc
from netc.compiler.ops import Operator
from tests.case_families import FAMILIES
from tests.parity import inputs_for, sizes_of, tensor

Case = tuple[str, netc.Model, list[torch.Tensor]]


def operators() -> Iterator[Case]:
    """One size of each symbolic dimension."""
    texts = [text for cls in Operator.registry.values() for text in cls.examples]
    texts += [text for module in FAMILIES.values() for text in module.CASES]
    for text in texts:
        model = netc.compile(text)
        arrays = inputs_for(model, sizes_of(model)[0])
        yield text, model, [tensor(arrays[name], type_) for name, type_ in model.inputs.items()]


def zoo() -> Iterator[Case]:
    for name, small in SMALL.items():
        model = small.compiled()
        yield name, model, list(small.inputs(model))


PARTS = {"operators": operators, "zoo": zoo}
