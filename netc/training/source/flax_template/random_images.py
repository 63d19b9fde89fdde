"""Change the training images at random, by `jax.random`: the transforms of `augment` that the file has, applied to a batch."""

# mypy: ignore-errors

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

# --- the file --------------------------------------------------------------------------------------------------------------


def flip_randomly(key: jax.Array, images: list[jax.Array], axis: int, p: float = 0.5) -> list[jax.Array]:
    """Flip the images `[..., H, W]` of a sample, all of them or none."""
    flips = jax.random.uniform(key) < p
    return [jnp.where(flips, jnp.flip(image, axis), image) for image in images]


def crop_randomly(
    key: jax.Array,
    images: list[jax.Array],
    size: tuple[int, int],
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    mode: str = "constant",
    fill: float = 0,
) -> list[jax.Array]:
    """Pad the images `[..., H, W]` of a sample, and cut out the same window of this size from all of them."""
    shape = [length + sum(ends) for length, ends in zip(images[0].shape[-2:], padding, strict=True)]
    top, left = jax.random.randint(key, (2,), 0, jnp.array(shape) - jnp.array(size) + 1)
    options = {"constant_values": fill} if mode == "constant" else {}
    padded = [jnp.pad(image, (*[(0, 0)] * (image.ndim - 2), *padding), mode, **options) for image in images]
    starts = [(*[0] * (image.ndim - 2), top, left) for image in images]
    return [jax.lax.dynamic_slice(image, start, (*image.shape[:-2], *size)) for image, start in zip(padded, starts, strict=True)]


# generated: augmentations


def augment_sample(key: jax.Array, sample: Batch) -> Batch:
    """Apply the transforms to one sample, whose arrays have no axis of the batch."""
    for number, (names, transform) in enumerate(AUGMENTATIONS):
        images = transform(jax.random.fold_in(key, number), [sample[name] for name in names])
        sample = sample | dict(zip(names, images, strict=True))
    return sample


@jax.jit
def augment_samples(rows: Batch, samples: np.ndarray, step: int) -> Batch:
    """Apply the transforms to the samples with these numbers."""
    key = jax.random.fold_in(jax.random.key(SEED), step)
    return jax.vmap(lambda sample, row: augment_sample(jax.random.fold_in(key, sample), row))(samples, rows)


def augment_batch(batch: Batch, samples: np.ndarray, step: int) -> Batch:
    """Augment the samples of a batch. Their random numbers depend only on the seed, the step and the sample."""
    rows = augment_samples({name: batch[name] for name in AUGMENTED}, samples, step)
    return batch | {name: np.asarray(images) for name, images in rows.items()}
