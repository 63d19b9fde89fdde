"""The settings of rotary position embeddings, in the forms of transformers 4 and 5.

In: `rope_parameters`, or `rope_theta` and `rope_scaling`. Out: a `Rotary`. Raises `NotInZoo` for a kind that std/rotary.net does not have.
"""

from __future__ import annotations

from math import log

from netc.dsl.record import Record

from ..config_settings import ConfigSettings, NotInZoo
from ..zoo_spec import format_value

BLOCKS = "std/rotary.net"


class Rotary(Record):
    """The base, or the stage that rotates; `uses` is the file and block of the stage."""

    base: float | None
    stage: str | None = None
    uses: tuple[tuple[str, str], ...] = ()


def read_rotary(settings: ConfigSettings, default_base: float, context: int) -> Rotary:
    """Read the rotary embedding; `context` is the longest text of the training."""
    base = settings.read_number("rope_theta", default_base)
    old, new = settings.read_mapping("rope_scaling"), settings.read_mapping("rope_parameters")
    rope = old if old.values else new
    base = rope.read_number("rope_theta", base)
    kind = rope.values.get("rope_type", rope.values.get("type", "default"))
    rope.skip("rope_type", "type")
    rotary = _read_kind(rope, kind, base, context)
    rope.check_all_read()
    return rotary


def _read_kind(rope: ConfigSettings, kind: object, base: float, context: int) -> Rotary:
    match kind:
        case "default":
            return Rotary(base)
        case "linear":
            return _make_stage("linear_rotary", [rope.read_number("factor", None)], {"base": base})
        case "llama3":
            factor = rope.read_number("factor", None)
            low, high = rope.read_number("low_freq_factor", None), rope.read_number("high_freq_factor", None)
            if not low < high:
                raise NotInZoo(f"`low_freq_factor` = {low}")
            trained = rope.read_int("original_max_position_embeddings", context)
            return _make_stage("llama3_rotary", [factor, low, high, trained], {"base": base})
        case "yarn":
            return _read_yarn(rope, base, context)
    raise NotInZoo(f'`rope_type` = "{kind}"')


def _read_yarn(rope: ConfigSettings, base: float, context: int) -> Rotary:
    trained = rope.read_int("original_max_position_embeddings", context)
    factor = rope.read_number("factor", context / trained)
    fast, slow = rope.read_number("beta_fast", 0) or 32, rope.read_number("beta_slow", 0) or 1
    top, bottom = rope.read_number("mscale", 0), rope.read_number("mscale_all_dim", 0)
    usual = _yarn_scale(factor, top) / _yarn_scale(factor, bottom) if top and bottom else _yarn_scale(factor, 1)
    scale = rope.read_number("attention_factor", usual)
    rounded = rope.read_flag("truncate", True)
    more: dict[str, float | bool] = {"base": base, "fast": fast, "slow": slow, "scale": scale, "round": rounded}
    defaults: dict[str, float | bool] = {"fast": 32, "slow": 1, "scale": _yarn_scale(factor, 1), "round": True}
    return _make_stage("yarn_rotary", [factor, trained], {key: value for key, value in more.items() if defaults.get(key) != value})


def _yarn_scale(factor: float, strength: float) -> float:
    return 0.1 * strength * log(factor) + 1 if factor > 1 else 1.0


def _make_stage(block: str, arguments: list[float], named: dict[str, float | bool]) -> Rotary:
    words = [*map(format_value, arguments), *(f"{name}={format_value(value)}" for name, value in named.items())]
    return Rotary(None, f"({block} {' '.join(words)})", ((BLOCKS, block),))
