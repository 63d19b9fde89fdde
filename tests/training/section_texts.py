"""Train sections with every clause, and data for them: their files must train as `netc train` does."""

from __future__ import annotations

import numpy as np

DIGITS = """
image = input 1x8x8
scores = image / 16 -> conv 4 3x3 padding=1 bias=false -> batch_norm relu -> max_pool 2 -> flatten -> dense 10

train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy ignore_index=3
  metric accuracy = (scores -> argmax axis=1) == target -> cast float32 -> mean
  optimizer adamw lr=2e-3 weight_decay=0.01 no_decay=["*.bias"]
  group "dense1.*" lr=1e-2
  schedule warmup 5 -> cosine to=0.05
  epochs 3
  batch 16 accumulate=3
  clip 0.05
  validate 0.2
  keep best accuracy
  seed 4
}
"""
VARIATIONAL = """
image = input 12
hidden = image -> dense 8 relu
mean = hidden -> dense 2
spread = hidden -> dense 2
decoded = mean -> dense 12

train {
  difference = decoded - image
  error = difference * difference -> mean
  divergence = mean * mean + exp(spread) - spread - 1 -> sum axis=1 -> mean
  loss = error + 0.1 * divergence + 2
  metric error2 = error
  optimizer sgd lr=0.1 momentum=0.9
  freeze "dense3.*"
  ema 0.9
  steps 17
  batch 8 accumulate=2
}
"""
SEQUENCE = """
tokens = input [T] int64
logits = tokens -> embedding 7 6 -> dense 7

train {
  weight = input [T]
  losses = (logits -> dropout 0.0 -> transpose 1 2, tokens) -> cross_entropy reduction=none
  loss = losses * weight -> mean
  optimizer adam
  schedule step step_size=3 gamma=0.5
  epochs 2
  batch 5
}
"""
DETACHED = """
features = input 12
block teacher { dense 6 tanh -> detach }
online = features -> dense 6 tanh -> dense 6
target = features -> teacher as teacher
train {
  error = (online, target) -> mse_loss
  loss = error + 0.5 * ((target -> mean) -> detach)
  metric closeness = error -> detach
  optimizer sgd lr=0.1 momentum=0.9
  steps 12
  batch 8 accumulate=2
}
"""
PLATEAU = """
features = input 3
guess = features -> dense 6 tanh -> dense 1 -> squeeze 1

train {
  price = input []
  loss = (guess, price) -> mse_loss
  metric error2 = (guess, price) -> l1_loss
  optimizer sgd lr=0.05
  schedule reduce_lr_on_plateau factor=0.5 patience=0 threshold=0.3
  epochs 12
  batch 8 DIVIDED
  VALIDATED
}
"""
"""The metric of an epoch is measured in validation, or on the training samples. For a batch in parts, it is measured on all parts."""
RANDOM = """
features = input 6
noise = input 6
level = input [] int64
hidden = features + noise * (level -> unsqueeze 1 -> cast float32) -> dense 16 relu -> dropout 0.3
scores = hidden -> dense 3

train {
  target = input [] int64
  share = input []
  loss = (scores -> dropout 0.1, target) -> cross_entropy label_smoothing=0.1
  metric penalty = share -> mean
  draw noise normal
  draw level integers 1 4
  draw share uniform 0.5 2
  optimizer adamw lr=1e-2
  schedule warmup 3 -> cosine
  epochs 4
  batch 7 DIVIDED
  clip 0.5 value=0.1
  ema 0.8
  validate 0.2
}
"""
"""What a step draws depends on the seed and the step alone: dropout of the model and the section, and inputs."""
PREPARED = """
noisy = input 5
step = input [] int64
guess = (noisy, step -> embedding 4 5) -> add -> dense 8 relu -> dense 5

train {
  clean = input 5
  noise = input 5
  draw noise normal
  draw step integers 0 4
  kept = table (t) [4] float32 = 1 - t / 8
  level = (kept, step) -> index_select axis=0 -> unsqueeze 1
  noisy = sqrt(level) * clean + sqrt(1 - level) * noise
  loss = (guess, noise) -> mse_loss
  steps 20
  batch 6
}
"""
"""The section computes an input of the model."""
STANDARDIZED = """
block layer { dense 4 tanh -> standardize }
features = input 3
noise = input 3
guess = (features + noise) -> standardize -> repeat 2 as layers { layer } -> dense 1 -> squeeze 1

train {
  target = input []
  loss = (guess, target) -> mse_loss
  draw noise normal
  steps 12
  batch 8 DIVIDED
  validate 0.2
}
"""
"""The numbers of the first stage depend on the draws of the first pass, and all other numbers on the first stage's."""
AUGMENTED = """
image = input 3x6x7
scores = image -> conv 4 3x3 padding=1 -> batch_norm relu -> dropout 0.2 -> conv 2 1x1

train {
  mask = input 6x7 int64
  noise = input 3
  loss = ((scores, mask) -> cross_entropy) + 0.01 * (noise -> mean)
  augment horizontal_flip image mask
  augment color_jitter brightness=0.3 contrast=[0.5, 1.5]
  draw noise normal
  epochs 3
  batch 6 DIVIDED
  validate 0.2
  seed 2
}
"""
"""An image and a mask that change together."""
BALANCED = """
image = input 3x6x7
noise = input 3
hidden = (image -> standardize -> conv 4 3x3 padding=1) + (noise -> dense 4 -> unsqueeze 2 -> unsqueeze 3)
scores = hidden -> conv 3 1x1
present = hidden -> global_avg_pool -> dense 2

train {
  mask = input 6x7 int64
  tags = input 2
  weights = input [3] batch=false
  rare = input [2] batch=false
  pixels = (scores, mask, weights) -> cross_entropy ignore_index=255
  loss = pixels + ((present, tags) -> binary_cross_entropy_with_logits pos_weight=rare) + 0.01 * (rare -> sum)
  balance mask weight=weights
  balance tags pos_weight=rare
  draw noise normal
  epochs 3
  batch 6 DIVIDED
  validate 0.2
}
"""
"""Weights of classes, of pixels and of two labels of a sample."""

TURNS = """
real = input 2
noise = input 4
shared judge = (dense 16 relu -> dropout 0.1 -> dense 1)
fake = noise -> (dense 16 relu -> dense 2) as forger
real_score = real -> judge
fake_score = fake -> judge
out fake, real_score, fake_score

train {
  judging = softplus(-real_score) + softplus(fake_score) -> mean
  forging = softplus(-fake_score) -> mean
  minimize judging "judge.*" steps=2 lr=3e-3
  minimize forging "forger.*"
  optimizer adam lr=1e-3 betas=[0.5, 0.999]
  schedule warmup 3 -> cosine
  draw noise normal
  batch 8 DIVIDED
  epochs 4
  validate 0.2
}
"""
TURNS_WITH_PLATEAU = """
real = input 4
first = real -> dense 4 as first
second = real -> dense 1 as second -> squeeze 1
out first, second

train {
  value = input []
  size = first -> square -> mean
  error = (second, value) -> mse_loss
  missed = (square(second - value) -> mean) - square(second - value -> mean)
  metric explained = 1 - missed / ((square(value) -> mean) - square(value -> mean))
  minimize size "first.*" steps=2
  minimize error "second.*"
  optimizer sgd lr=0.05
  schedule reduce_lr_on_plateau factor=0.5 patience=1 threshold=0.3
  keep best explained max
  batch 20
  epochs 24
}
"""
"""Two steps an epoch, so only two of three epochs have a result for the schedule, which is 0 / 0 if every mean is 1."""
VARIED = """
image = input 12
hidden = image -> standardize -> dense 8 relu
mean = hidden -> dense 2
spread = hidden -> dense 2
noise = input 2
decoded = mean + exp(spread / 2) * noise -> dense 12

train {
  weight = input [] batch=false
  done = input [] batch=false
  count = input [] int64 batch=false
  age = input [] int64 batch=false
  error = (decoded, image) -> mse_loss
  divergence = mean * mean + exp(spread) - spread - 1 -> sum axis=1 -> mean
  loss = error + 0.1 * weight * divergence
  metric done2 = done * 1.0
  metric counted = count -> cast float32
  metric aged = age -> cast float32
  metric weighed = weight * 1.0
  optimizer sgd lr=0.1 momentum=0.9
  draw noise normal
  vary weight warmup 4 -> linear 5 to=0.5 -> cosine to=2.0
  vary done progress
  vary count step
  vary age epoch
  epochs 4
  batch 8 DIVIDED
  validate 0.2
}
"""
FOLLOWED = """
block network { in -> dense 8 relu -> dense 4 }
features = input 6
online = features -> network as online
guess = online -> dense 4 as predictor
target = features * 0.9 -> network as target
out guess, target

train {
  loss = (guess, target) -> mse_loss
  follow "target.*" "online.*" 0.9
  follow "predictor.bias" "online.dense2.bias" every=3
  optimizer sgd lr=0.1
  epochs 2
  batch 7
}
"""


REUSED = """
model classifier(width=8) {
  image = input 5
  shared encoder = (dense width gelu -> dropout 0.2 -> dense width)
  shared head = dense 3
  features = image -> encoder
  scores = features -> head
  out scores
}
train classifier(share=0.3) {
  label = input [] int64
  other = input 5
  part = input 1
  mixed = part * image + (1 - part) * other
  guess = features + share * (mixed -> encoder) -> head
  loss = ((scores, label) -> cross_entropy) + ((guess -> softmax axis=1, scores -> softmax axis=1 -> detach) -> mse_loss)
  draw part uniform
  optimizer adam lr=1e-2
  epochs 3
  batch 8 DIVIDED
  data npz "data.npz"
}
"""


def make_arrays(name: str) -> dict[str, np.ndarray]:
    """The data of a section."""
    generator = np.random.default_rng(1)
    match name:
        case "digits":
            return {"image": generator.random((71, 1, 8, 8)) * 16, "target": generator.integers(0, 10, 71)}
        case "detached":
            return {"features": generator.normal(size=(40, 12)).astype(np.float32)}
        case _ if name in ("variational", "varied", "varied_in_parts"):
            return {"image": generator.normal(size=(40, 12)).astype(np.float32)}
        case _ if name.startswith("plateau"):
            features = generator.normal(size=(50, 3)).astype(np.float32)
            return {"features": features, "price": features @ np.float32([1, -2, 3]) + 0.3 * generator.normal(size=50).astype(np.float32)}
        case "followed":
            return {"features": generator.normal(size=(40, 6)).astype(np.float32)}
        case _ if name.startswith("random"):
            return {"features": generator.normal(size=(40, 6)).astype(np.float32), "target": generator.integers(0, 3, 40)}
        case _ if name.startswith("standardized"):
            features = generator.normal(5, 20, (31, 3)).astype(np.float32)
            features[4:7, 1] = 3
            return {"features": features, "target": generator.normal(size=31).astype(np.float32)}
        case _ if name.startswith("augmented"):
            return {"image": generator.random((31, 3, 6, 7), np.float32), "mask": generator.integers(0, 2, (31, 6, 7))}
        case _ if name.startswith("balanced"):
            mask = generator.choice([0, 1, 2, 255], (31, 6, 7), p=[0.6, 0.2, 0.1, 0.1])
            tags = generator.random((31, 2)) < [0.7, 0.2]
            return {"image": generator.random((31, 3, 6, 7), np.float32), "mask": mask, "tags": tags.astype(np.float32)}
        case "turns_with_plateau":
            real, value = generator.normal(size=(40, 4)), generator.normal(size=40)
            return {"real": real.astype(np.float32), "value": value.astype(np.float32)}
        case _ if name.startswith("turns"):
            return {"real": generator.normal(size=(40, 2)).astype(np.float32)}
        case _ if name.startswith("reused"):
            image, other = generator.normal(size=(2, 31, 5)).astype(np.float32)
            return {"image": image, "other": other, "label": generator.integers(0, 3, 31)}
        case "prepared":
            return {"clean": generator.normal(size=(30, 5)).astype(np.float32)}
        case _:
            return {"tokens": generator.integers(0, 7, (23, 9)), "weight": generator.random((23, 9), np.float32)}


SPECS = {
    "digits": DIGITS,
    "variational": VARIATIONAL,
    "sequence": SEQUENCE,
    "detached": DETACHED,
    "plateau": PLATEAU.replace("DIVIDED", "").replace("VALIDATED", "validate 0.2\n  keep best error2"),
    "plateau_of_epochs": PLATEAU.replace("DIVIDED", "").replace("VALIDATED", ""),
    "plateau_of_parts": PLATEAU.replace("DIVIDED", "accumulate=3").replace("VALIDATED", "keep best error2 min"),
    "plateau_stopped": PLATEAU.replace("DIVIDED", "; stop patience=3 min_delta=0.1").replace("VALIDATED", "validate 0.2; keep best error2"),
    "random": RANDOM.replace("DIVIDED", ""),
    "random_in_parts": RANDOM.replace("DIVIDED", "accumulate=2"),
    "prepared": PREPARED,
    "turns": TURNS.replace("DIVIDED", ""),
    "turns_in_parts": TURNS.replace("DIVIDED", "accumulate=3"),
    "turns_with_plateau": TURNS_WITH_PLATEAU,
    "followed": FOLLOWED,
    "reused": REUSED.replace("DIVIDED", ""),
    "reused_in_parts": REUSED.replace("DIVIDED", "accumulate=3"),
    "varied": VARIED.replace("DIVIDED", ""),
    "varied_in_parts": VARIED.replace("DIVIDED", "accumulate=3"),
    "standardized": STANDARDIZED.replace("DIVIDED", ""),
    "standardized_in_parts": STANDARDIZED.replace("DIVIDED", "accumulate=2"),
    "augmented": AUGMENTED.replace("DIVIDED", ""),
    "augmented_in_parts": AUGMENTED.replace("DIVIDED", "accumulate=2"),
    "balanced": BALANCED.replace("DIVIDED", ""),
    "balanced_in_parts": BALANCED.replace("DIVIDED", "accumulate=2"),
}
