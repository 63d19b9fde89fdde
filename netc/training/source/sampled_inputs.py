"""Emit the function that draws inputs at random for each batch, as `draw noise normal` declares.

>>> _emit_draw(Draw("step", "integers", 0, 1000), "(n,)")
'generator.integers(0, 1000, (n,))'
"""

from __future__ import annotations

from netc.compiler.ir.training_program import Training

from ..data_inputs import list_data_inputs
from ..draw_rules import Draw
from ..recipe import Recipe
from .batch_columns import emit_dim
from .lines import quote_string, to_literal
from .section_words import TORCH_WORDS, SectionWords


def emit_draws(training: Training, recipe: Recipe, words: SectionWords = TORCH_WORDS) -> str:
    """Emit `draw_inputs(batch, number)`, which draws inputs for the samples of a batch. The values depend only on the seed and the number
    of the batch, so they are the same for any number of micro-batches and processes."""
    data_inputs = list_data_inputs(training, recipe)
    types = {value.name: value.type for value in training.program.main.inputs}
    lines = [
        "def draw_inputs(batch: Batch, number: int) -> Batch:",
        '    """Draw inputs for the batch with this number. They depend only on the seed and the number."""',
        "    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, 2**62 + number], np.uint64)))",
        "    return {",
    ]
    for draw in recipe.draws:
        shape = ", ".join(emit_dim(data_inputs, size) for size in types[draw.input].shape)
        array = _emit_draw(draw, f"({shape},)" if "," not in shape else f"({shape})")
        dtype = types[draw.input].dtype.name
        converted = words.wrap(array) if dtype == _DTYPES[draw.distribution] else words.convert(array, dtype)
        lines.append(f"        {quote_string(draw.input)}: {converted},")
    return "\n".join([*lines, "    }"])


_DTYPES = {"normal": "float32", "uniform": "float64", "integers": "int64"}
"""The types of NumPy's random numbers."""


def _emit_draw(draw: Draw, shape: str) -> str:
    match draw.distribution:
        case "normal":
            return f"generator.standard_normal({shape}, np.float32)"
        case "uniform":
            return f"generator.uniform({to_literal(draw.low)}, {to_literal(draw.high)}, {shape})"
    return f"generator.integers({int(draw.low)}, {int(draw.high)}, {shape})"
