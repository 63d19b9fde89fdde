"""The result of importing a model folder.

In: a text, its model, and the tensors under the names of the spec. Out: an `ImportedFolder`. Always: the weights stay in the folder if
`--weights FOLDER` gives every parameter as it is. Otherwise they are written under the names of the spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netc.compiler.analysis.state_dict import count_parameters
from netc.compiler.weights.lazy_tensors import StoredTensor
from netc.dsl.record import Record

if TYPE_CHECKING:
    from ...model import Model
    from ..run_import import ImportedSpec


class ImportedFolder(Record):
    """An imported folder. `tensors` has the weights under the names of the spec, None if the folder has them so. `source` says where the
    spec is from; `proved` is the imported module with its proof, None for a published spec."""

    text: str
    model: Model
    tensors: Mapping[str, StoredTensor] | None
    source: str
    notes: tuple[str, ...] = ()
    proved: ImportedSpec | None = None

    def format_report(self) -> str:
        """Describe the import in two or three lines."""
        if self.proved is not None:
            return f"{self.source}\n{self.proved.format_report()}"
        learned, tensors = count_parameters(self.model.parameters), len(self.model.parameters)
        return f"{self.source}\n{len(self.text.splitlines())} lines, {learned:,} parameters in {tensors} tensors"
