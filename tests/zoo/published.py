"""What torchvision publishes of its models: in the metadata of their weights."""

from __future__ import annotations

from typing import Any, NamedTuple

from zoo.catalogue import Entry


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
    """Parameters of the model: torchvision counts the auxiliary head of those networks that may have one."""
    return {"aux": True} if "aux" in entry.takes else {}


def _image(weights: Any) -> int:
    given: dict[str, int] = weights.transforms.keywords
    return given["crop_size"] if "crop_size" in given else given["resize_size"]
