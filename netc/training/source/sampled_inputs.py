"""Inputs that are drawn for each batch, as a function of the file."""

from __future__ import annotations

from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training

from ..recipe import Draw, Recipe
from .batch_columns import dim_text
from .lines import literal, quoted


def given_inputs(training: Training, recipe: Recipe) -> list[Value]:
    """The inputs that the data give, not those that are drawn."""
    drawn = {draw.input for draw in recipe.draws}
    return [value for value in training.program.main.inputs if value.name not in drawn]


def draws_text(training: Training, recipe: Recipe) -> str:
    """`draw_inputs(batch, number)`: the inputs that are drawn, for as many samples as the batch has. They depend on the seed and the number of
    the batch alone, so that it does not matter in how many parts or on how many processes a step is computed."""
    given = given_inputs(training, recipe)
    types = {value.name: value.type for value in training.program.main.inputs}
    lines = [
        "def draw_inputs(batch: Batch, number: int) -> Batch:",
        '    """Draw inputs for the batch with this number. They depend only on the seed and the number."""',
        "    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, 2**62 + number], np.uint64)))",
        "    return {",
    ]
    for draw in recipe.draws:
        shape = ", ".join(dim_text(given, size) for size in types[draw.input].shape)
        array = _drawn(draw, f"({shape},)" if "," not in shape else f"({shape})")
        dtype = types[draw.input].dtype.name
        converted = "" if dtype == _DTYPES[draw.distribution] else f".to(torch.{dtype})"
        lines.append(f"        {quoted(draw.input)}: torch.from_numpy({array}){converted},")
    return "\n".join([*lines, "    }"])


_DTYPES = {"normal": "float32", "uniform": "float64", "integers": "int64"}
"""What NumPy draws."""


def _drawn(draw: Draw, shape: str) -> str:
    match draw.distribution:
        case "normal":
            return f"generator.standard_normal({shape}, np.float32)"
        case "uniform":
            return f"generator.uniform({literal(draw.low)}, {literal(draw.high)}, {shape})"
    return f"generator.integers({int(draw.low)}, {int(draw.high)}, {shape})"
