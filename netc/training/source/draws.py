"""Inputs that are drawn for each batch, as a function of the file."""

from __future__ import annotations

from netc.compiler.ir.training import Training
from netc.compiler.ir.values import Value

from ..recipe import Draw, Recipe
from .columns import dim_text
from .lines import literal, quoted


def given_inputs(training: Training, recipe: Recipe) -> list[Value]:
    """The inputs that the data give, not those that are drawn."""
    drawn = {draw.input for draw in recipe.draws}
    return [value for value in training.program.main.inputs if value.name not in drawn]


def draws_text(training: Training, recipe: Recipe) -> str:
    """`drawn(batch)`: the inputs that are drawn, for as many samples as the batch has."""
    given = given_inputs(training, recipe)
    types = {value.name: value.type for value in training.program.main.inputs}
    lines = ["def drawn(batch: Batch) -> Batch:", '    """What is drawn for each batch."""', "    return {"]
    for draw in recipe.draws:
        shape = ", ".join(dim_text(given, size) for size in types[draw.input].shape)
        made = _drawn(draw, f"({shape},)" if "," not in shape else f"({shape})")
        dtype = types[draw.input].dtype.name
        converted = made if dtype in ("float32", "int64") else f"{made}.to(torch.{dtype})"
        lines.append(f"        {quoted(draw.input)}: {converted},")
    return "\n".join([*lines, "    }"])


def _drawn(draw: Draw, shape: str) -> str:
    match draw.distribution:
        case "normal":
            return f"torch.randn({shape}, device=DEVICE)"
        case "uniform":
            return f"torch.empty({shape}, device=DEVICE).uniform_({literal(draw.low)}, {literal(draw.high)})"
    return f"torch.randint({int(draw.low)}, {int(draw.high)}, {shape}, device=DEVICE)"
