"""What the objectives of specs/training learn, on data that the tests make or that scikit-learn contains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import netc
from tests.training.cart_pole import CartPole, State

SPECS = Path(__file__).parents[2] / "specs" / "training"
Array = NDArray[Any]
pytestmark = pytest.mark.long


def train(name: str, folder: Path, data: dict[str, Array], **options: Any) -> Path:
    """Train a spec, and return the file of the last weights."""
    netc.train(SPECS / f"{name}.net", data=data, output=folder / name, **options)
    return folder / name / "last.safetensors"


def load_digits() -> tuple[Array, Array]:
    """The digits of scikit-learn: 1797 images of 64 numbers from 0 to 1, and the labels."""
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), labels.astype(np.int64)


def make_ring() -> tuple[Array, Array]:
    """The centers of eight Gaussians on a ring, and samples of all of them."""
    generator = np.random.default_rng(0)
    angles = 2 * np.pi * np.arange(8) / 8
    centers = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    samples = centers[generator.integers(0, 8, 4096)] + 0.1 * generator.normal(size=(4096, 2))
    return centers, samples.astype(np.float32)


def measure_shares(points: torch.Tensor, centers: Array) -> Array:
    """The share of the points that belong to each Gaussian: within four deviations, and nearer than to the others."""
    distances = np.linalg.norm(points.numpy()[:, None] - centers, axis=2)
    return np.bincount(distances.argmin(axis=1)[distances.min(axis=1) < 0.4], minlength=8) / len(points)


def test_a_gan_finds_all_modes(tmp_path: Path) -> None:
    centers, real = make_ring()
    weights = train("gan", tmp_path, {"real": real}, steps=4000, seed=1)
    torch.manual_seed(0)
    with torch.no_grad():
        points = netc.compile_file(SPECS / "gan.net").module(weights=weights).generator(torch.randn(4000, 2))
    shares = measure_shares(points, centers)
    assert shares.sum() > 0.85  # 0.94 when it was written
    assert shares.min() > 0.03  # 0.11, of 0.125


def test_a_flow_finds_all_modes(tmp_path: Path) -> None:
    """100 steps of Euler's method from noise to data."""
    centers, real = make_ring()
    weights = train("flow_matching", tmp_path, {"data_point": real}, steps=3000)
    module = netc.compile_file(SPECS / "flow_matching.net").module(weights=weights)
    points = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for step in range(100):
            points = points + module(points, torch.full((4000,), step / 100)) / 100
    shares = measure_shares(points, centers)
    assert shares.sum() > 0.8  # 0.88
    assert shares.min() > 0.06  # 0.09


def test_a_mean_teacher_learns_from_images_without_labels(tmp_path: Path) -> None:
    """Fifty of a thousand images have labels."""
    images, labels = load_digits()
    data = {"image": images[:1000], "label": np.where(np.arange(1000) < 50, labels[:1000], -100)}
    new, accuracies = torch.from_numpy(images[1000:]), []
    for weight in (1.0, 0.0):
        weights = train("mean_teacher", tmp_path / str(weight), data, params={"agreement_weight": weight})
        with torch.no_grad():
            scores = netc.compile_file(SPECS / "mean_teacher.net").module(weights=weights)(new, new)
        accuracies.append((scores.argmax(1).numpy() == labels[1000:]).mean())
    assert accuracies[0] > accuracies[1] + 0.01  # 0.84 and 0.81


def test_a_language_model_learns_preferences(tmp_path: Path) -> None:
    """People prefer the text with more even tokens. The first three tokens are the prompt."""
    generator = np.random.default_rng(0)
    texts = generator.integers(0, 32, (2, 800, 9))
    texts[1, :, :3] = texts[0, :, :3]
    liking = (texts[:, :, 3:] % 2 == 0).sum(axis=2)
    texts = texts[:, liking[0] > liking[1]]
    targets = texts[:, :, 1:].copy()
    targets[:, :, :2] = -100
    columns = (*texts[:, :, :-1], *targets)
    data = dict(zip(("chosen", "rejected", "chosen_targets", "rejected_targets"), columns, strict=True))
    weights = train("dpo", tmp_path, {name: column[:250] for name, column in data.items()}, epochs=20)
    objective = netc.compile_file(SPECS / "dpo.net").training(weights=weights)
    with torch.no_grad():
        _, metrics = objective({name: torch.from_numpy(column[250:]) for name, column in data.items()})
    assert metrics["accuracy"] > 0.95
    start = netc.compile_file(SPECS / "dpo.net").module(seed=0).state_dict()
    learned = objective.model.state_dict()
    assert torch.equal(learned["reference.gru.weight_hh_l0"], start["policy.gru.weight_hh_l0"])


@pytest.mark.parametrize(("name", "margin"), [("byol", 0.05), ("simsiam", 0.05), ("dino", 0.02)])
def test_representations_without_labels(name: str, margin: float, tmp_path: Path) -> None:
    """A linear classifier with 50 labels is better on learned features than on the features of the initial network."""
    images, labels = load_digits()
    linear_model = pytest.importorskip("sklearn.linear_model")
    weights = train(name, tmp_path, {"image": images[:1000]})
    model, accuracies = netc.compile_file(SPECS / f"{name}.net"), []
    for options in ({"weights": weights}, {"seed": 0}):
        with torch.no_grad():
            features = model.module(**options).eval()(torch.from_numpy(images), torch.from_numpy(images)).numpy()
        features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
        classifier = linear_model.LogisticRegression(max_iter=1000).fit(features[:50], labels[:50])
        accuracies.append(classifier.score(features[1000:], labels[1000:]))
    assert accuracies[0] > accuracies[1] + margin  # 0.83 (BYOL), 0.79 (SimSiam) and 0.82 (DINO) against 0.65, 0.69 and 0.79


def test_a_vq_vae_reconstructs(tmp_path: Path) -> None:
    """Four codes for each image of 64 pixels, and new images."""
    images = load_digits()[0].reshape(-1, 1, 8, 8)
    weights = train("vq_vae", tmp_path, {"image": images[:1500]})
    with torch.no_grad():
        decoded, code = netc.compile_file(SPECS / "vq_vae.net").module(weights=weights).eval()(torch.from_numpy(images[1500:]))
    assert code.shape == (297, 4)
    assert code.unique().numel() > 16
    error = np.square(decoded.numpy() - images[1500:]).mean()
    assert error < 0.5 * np.square(images[1500:] - images[:1500].mean(axis=0)).mean()  # 0.024 and 0.074


def test_an_annealed_autoencoder_uses_its_latent_numbers(tmp_path: Path) -> None:
    images = load_digits()[0]
    weights = train("vae_annealed", tmp_path, {"image": images}, steps=2000)
    noise = torch.randn(len(images), 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        _, divergence = netc.compile_file(SPECS / "vae_annealed.net").module(weights=weights)(torch.from_numpy(images), noise)
    assert divergence.mean() > 2


def test_a_student_learns_from_a_teacher(tmp_path: Path) -> None:
    """The teacher does not change. The labels of the student's images are random: it learns from the soft classes alone."""
    images, labels = load_digits()
    path = SPECS / "distillation.net"
    data = {"image": images[:1000], "label": labels[:1000]}
    netc.train(path, section="teacher", model="teacher", data=data, output=tmp_path / "teacher", epochs=20)
    teacher = netc.Checkpoint(tmp_path / "teacher" / "last.safetensors", allow_missing=["student.*"])
    data["label"] = np.random.default_rng(0).permutation(data["label"])
    options = {"weights": teacher, "epochs": 40, "params": {"hard_weight": 0.0}}
    netc.train(path, section="student", model="student", data=data, output=tmp_path / "student", **options)
    model = netc.compile_file(path, model="student")
    module = model.module(weights=tmp_path / "student" / "last.safetensors")
    before = netc.compile_file(path, model="teacher").module(weights=tmp_path / "teacher" / "last.safetensors")
    assert torch.equal(module.teacher.dense1.weight, before.teacher.dense1.weight)
    session = model.session(weights=tmp_path / "student" / "last.safetensors")
    assert (session(images[1000:]).argmax(1) == labels[1000:]).mean() > 0.85


def test_learned_variances_are_the_errors(tmp_path: Path) -> None:
    """At the minimum, each variance is the error of its task. Here the target is noise of variance 4 around 0."""
    images, labels = load_digits()
    target = np.random.default_rng(0).normal(0, 2, len(images)).astype(np.float32)
    data = {"image": np.zeros_like(images), "label": labels, "target": target}
    weights = train("kendall", tmp_path, data, epochs=150)
    learned = netc.compile_file(SPECS / "kendall.net").module(weights=weights).state_dict()
    assert learned["value_log_variance"].exp() == pytest.approx(target.var(), rel=0.15)


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_adapters_learn_a_new_task(name: str, tmp_path: Path) -> None:
    """Digits on their side. The weights of the trained network stay as they are, bit for bit."""
    images, labels = load_digits()
    turned = np.ascontiguousarray(images.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64))
    text = (
        "image = input 64; scores = image -> dense 128 relu as hidden -> dense 10 as head\n"
        "train { label = input [] int64; loss = (scores, label) -> cross_entropy; optimizer adam lr=3e-3; epochs 10 }"
    )
    (tmp_path / "base.net").write_text(text, encoding="utf-8")
    netc.train(tmp_path / "base.net", data={"image": images[:1000], "label": labels[:1000]}, output=tmp_path / "base")
    base = netc.compile(text).module(weights=tmp_path / "base" / "last.safetensors")
    checkpoint = netc.Checkpoint(tmp_path / "base" / "last.safetensors", allow_missing=["*.lora_*"])
    with pytest.warns(UserWarning, match="initialized"):
        start = netc.compile_file(SPECS / f"{name}.net").module(weights=checkpoint)
    batch = torch.from_numpy(images[1000:])
    torch.testing.assert_close(start(batch), base(batch), rtol=1e-5, atol=1e-5)  # the adapters change nothing yet

    weights = train(name, tmp_path, {"image": turned[:1000], "label": labels[:1000]}, weights=checkpoint, epochs=30)
    adapted = netc.compile_file(SPECS / f"{name}.net").module(weights=weights)
    for key, value in base.state_dict().items():
        assert torch.equal(adapted.state_dict()[key], value)
    scores = [(module(torch.from_numpy(turned[1000:])).argmax(1).numpy() == labels[1000:]).mean() for module in (base, adapted)]
    assert scores[1] > max(0.8, scores[0] + 0.3)


def play_episodes(choose: Callable[[State], int], episodes: int = 100) -> float:
    """The mean number of steps."""
    environment, steps = CartPole(99), 0
    for _ in range(episodes):
        state, ends = environment.reset(), False
        while not ends:
            state, _, ends = environment.push(choose(state))
        steps += environment.steps
    return steps / episodes


def test_q_learning_balances_the_pole() -> None:
    """A loop with a replay memory; the section has the loss, the optimizer and the target network."""
    dqn = netc.compile_file(SPECS / "dqn.net").training(seed=0)
    optimizer, online = dqn.optimizer(), dqn.model.online
    dqn.follow()
    environment, generator = CartPole(0), np.random.default_rng(0)
    count = 30_000
    memory = {
        "state": np.zeros((count, 4), np.float32),
        "next_state": np.zeros((count, 4), np.float32),
        "action": np.zeros(count, np.int64),
        "reward": np.ones(count, np.float32),
        "done": np.zeros(count, np.float32),
    }

    def choose(state: State) -> int:
        with torch.no_grad():
            return int(online(torch.from_numpy(state)).argmax())  # type: ignore[operator]

    state, best = environment.reset(), 0.0
    for step in range(count):
        action = int(generator.integers(2)) if generator.random() < max(0.05, 1 - step / 5000) else choose(state)
        next_state, fell, ends = environment.push(action)
        for name, value in zip(("state", "next_state", "action", "done"), (state, next_state, action, fell), strict=True):
            memory[name][step] = value
        state = environment.reset() if ends else next_state
        if step >= 500:
            chosen = generator.integers(0, step + 1, dqn.recipe.batch)
            loss, _ = dqn({name: torch.from_numpy(column[chosen]) for name, column in memory.items()})
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            dqn.follow(step - 500)
        if step >= 5000 and step % 1000 == 0:
            best = max(best, play_episodes(choose))
            if best >= 195:
                break
    assert best >= 195


def test_policy_optimization_balances_the_pole() -> None:
    """Rollouts of 1024 steps, with the advantages of Schulman et al. (2016); the section has the loss, the optimizer and the clipping."""
    ppo = netc.compile_file(SPECS / "ppo.net").training(seed=0)
    optimizer, environment, generator = ppo.optimizer(), CartPole(0), np.random.default_rng(0)

    def choose(state: State) -> int:
        with torch.no_grad():
            return int(ppo.model(torch.from_numpy(state)[None])[0].argmax())

    best = 0.0
    for _ in range(30):
        data = roll_out(ppo.model, environment, generator)
        for _ in range(ppo.recipe.epochs or 1):
            for chosen in torch.from_numpy(generator.permutation(1024)).split(ppo.recipe.batch):
                loss, _ = ppo({name: column[chosen] for name, column in data.items()})
                optimizer.zero_grad()
                loss.backward()
                ppo.clip()
                optimizer.step()
        best = max(best, play_episodes(choose, 50))
        if best >= 195:
            break
    assert best >= 195


def roll_out(model: torch.nn.Module, environment: CartPole, generator: np.random.Generator) -> dict[str, torch.Tensor]:
    """Play, and return what the section takes."""
    rows, state = [], environment.reset()
    with torch.no_grad():
        for _ in range(1024):
            logits, value = model(torch.from_numpy(state)[None])
            probabilities = logits.log_softmax(1)[0]
            action = int(generator.random() < probabilities[1].exp())
            next_state, fell, ends = environment.push(action)
            rows.append((state, action, float(probabilities[action]), float(value), next_state, fell, ends))
            state = environment.reset() if ends else next_state
        states, actions, old, values, following, fallen, ended = map(np.array, zip(*rows, strict=True))
        errors = 1 + 0.99 * model(torch.from_numpy(following))[1].numpy() * (1 - fallen) - values
    advantages, later = np.zeros(1024), 0.0
    for step in reversed(range(1024)):
        later = advantages[step] = errors[step] + 0.99 * 0.95 * later * (1 - ended[step])
    columns = {"state": states, "action": actions, "old_log_probability": old, "observed_return": advantages + values}
    columns["advantage"] = (advantages - advantages.mean()) / advantages.std()
    return {name: torch.from_numpy(array if name == "action" else array.astype(np.float32)) for name, array in columns.items()}
