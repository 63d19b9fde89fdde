"""A `config.json` may leave out the settings that are usual: netc and transformers must mean the same ones."""

from __future__ import annotations

from typing import Any

import pytest

transformers = pytest.importorskip("transformers", reason="the reference of model folders is transformers")

from netc.importing.folders import families  # noqa: E402
from netc.importing.folders.config_settings import ConfigSettings, NotInZoo  # noqa: E402
from netc.importing.folders.zoo_spec import FAMILIES  # noqa: E402

assert families.__all__  # the import registers them


def read_arguments(architecture: str, settings: dict[str, Any]) -> Any:
    """The model and its arguments, or the setting that the published spec does not have."""
    try:
        spec = FAMILIES[architecture](ConfigSettings(settings))
    except NotInZoo as refused:
        return str(refused)
    return spec.path, spec.model, dict(spec.arguments)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_defaults(architecture: str) -> None:
    kind = getattr(transformers, architecture).config_class
    complete = kind().to_dict()
    assert read_arguments(architecture, {}) == read_arguments(architecture, complete)
    # also each setting alone, among settings that the zoo has: a default that is refused hides the ones after it
    given = {name: value for name, value in complete.items() if not isinstance(value, dict)}
    for name in given:
        partial = {other: value for other, value in complete.items() if other != name}
        assert read_arguments(architecture, partial) == read_arguments(architecture, complete), name
