"""Tensor parallelism: definitions for the files of Flax."""

from __future__ import annotations

from fnmatch import fnmatchcase

import jax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

PARTITION: dict[str, PartitionSpec] = {}


def shard(model: nnx.Module, mesh: jax.sharding.Mesh) -> None:
    """Places the variables of a model on the devices of a mesh that has the axis `tp`, as PARTITION says. What has no
    entry there is whole on each device.
    """
    # The compiler chooses the sharding of all results, whatever kind of axes the mesh has.
    mesh = jax.sharding.Mesh(mesh.devices, mesh.axis_names)
    placed = []
    for path, variable in nnx.to_flat_state(nnx.state(model)):
        spec = next((spec for key, spec in PARTITION.items() if fits_key([*map(str, path)], key)), PartitionSpec())
        # Stacked layers have an axis more.
        spec = PartitionSpec(*(None,) * (variable.ndim - len(spec)), *spec)
        placed.append((path, jax.device_put(variable, NamedSharding(mesh, spec))))
    nnx.update(model, nnx.from_flat_state(placed))


def fits_key(parts: list[str], key: str) -> bool:
    """Whether the path to a variable fits a key of PARTITION, in which `*` stands for one part."""
    patterns = key.split(".")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
