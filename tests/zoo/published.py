"""What torchvision publishes of its models: in the metadata of their weights."""

from __future__ import annotations

from typing import Any, NamedTuple

from zoo.catalogue import Entry, compiled


class Published(NamedTuple):
    """`multiply_adds`, in billions, are for one image of `image` rows and columns; they are rounded to a million."""

    image: int
    params: int
    multiply_adds: float


def published(entry: Entry) -> Published | None:
    """Of the weights for the smallest images; None for a model that torchvision has not."""
    from torchvision.models import get_model_weights, list_models

    if entry.folder != "vision" or entry.model not in list_models():
        return None
    weights = min(get_model_weights(entry.model), key=_image)
    return Published(_image(weights), weights.meta["num_params"], weights.meta["_ops"])


def as_published(entry: Entry) -> dict[str, object]:
    """Parameters of the model that give it the auxiliary heads which torchvision counts, of a model that may have some."""
    theirs = published(entry)
    if theirs is None or "aux" not in entry.takes:
        return {}
    choices = ({"aux": True}, {"aux": False})
    return next((c for c in choices if compiled(entry, c).summary().totals.parameters == theirs.params), {})


def _image(weights: Any) -> int:
    given: dict[str, int] = weights.transforms.keywords
    return given["crop_size"] if "crop_size" in given else given["resize_size"]
