"""Import a folder of a family that the zoo has.

In: a `ModelFolder` and the tensors of its weights. Out: an `ImportedFolder` with the published spec. Raises `NotInZoo` if the folder is of
another family, or has a setting that the published spec does not have, and `WeightsError` if the weights do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netc.compiler.weights.lazy_tensors import StoredTensor
from netc.compiler.weights.match_weights import match_tensors
from netc.compiler.weights.weight_selection import Selection
from netc.dsl.source import SourceFile

from ...analysis import Choice, analyze
from ...api import make_model
from . import families
from .config_settings import ConfigSettings, NotInZoo
from .imported_folder import ImportedFolder
from .model_folder import FolderRefused, ModelFolder, list_names
from .weight_names import map_tensors
from .zoo_spec import FAMILIES, ZooSpec, write_zoo_spec

if TYPE_CHECKING:
    from ...model import Model

assert families.__all__  # the import registers them


def import_zoo_family(folder: ModelFolder, tensors: Mapping[str, StoredTensor], name: str) -> ImportedFolder:
    """Import a folder as a model `name` that uses a published spec."""
    read = FAMILIES.get(folder.architecture)
    if read is None:
        raise NotInZoo(f"the architecture `{folder.architecture}`")
    spec = read(ConfigSettings(folder.config))
    text, model = _compile_spec(spec, folder.architecture, name)
    mapped = map_tensors(tensors, model.parameters, spec.rules)
    match_tensors(model.parameters, mapped.tensors, Selection(""))
    _refuse_parts_of_the_model(mapped.left_out, model)
    in_place = mapped.tensors.keys() == tensors.keys() and all(tensors[key] is tensor for key, tensor in mapped.tensors.items())
    source = f"{folder.architecture}, by the published spec `zoo/{spec.path}`"
    return ImportedFolder(text, model, None if in_place else mapped.tensors, source, _list_notes(spec, mapped.left_out))


def _compile_spec(spec: ZooSpec, architecture: str, name: str) -> tuple[str, Model]:
    """Write and compile the spec. Raises `FolderRefused` if the sizes do not fit together."""
    choice = Choice()
    # The name may be a word of the language, or the name of a block that the spec uses.
    for candidate in (name, f"model_{name}"):
        text = write_zoo_spec(spec, candidate, [f"Imported by netc: {architecture} with the sizes of its config.json."])
        if text is None:
            continue
        analysis = analyze(SourceFile(f"{name}.net", text), choice)
        if analysis.program is not None:
            return text, make_model(analysis, choice)
    error = next(d for d in analysis.diagnostics if d.severity == "error")
    raise FolderRefused(f"the settings in `config.json` do not fit together: {error.message}")


def _refuse_parts_of_the_model(left_out: Sequence[str], model: Model) -> None:
    """Refuse weights that belong to the model itself, such as further layers or biases, because `config.json` says that there are none.
    The heads of other tasks have names that the model does not have."""
    own = {name.partition(".")[0] for name in model.parameters}
    surplus = [name for name in left_out if name.partition(".")[0] in own]
    if surplus:
        raise FolderRefused(f"the weights have parts that the settings in `config.json` do not have: {list_names(surplus)}")


def _list_notes(spec: ZooSpec, left_out: tuple[str, ...]) -> tuple[str, ...]:
    if not left_out:
        return spec.notes
    return (*spec.notes, f"The spec has no part for these weights, which are left out: {list_names(left_out)}.")
