"""The generative objectives of specs/training as plain PyTorch, written from their papers."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_training import (
    SAMPLES,
    SIZES,
    WIDTH,
    Arrays,
    Batch,
    Plain,
    Recipe,
    SeveralLosses,
    Turn,
    make_mlp,
    make_points,
    make_views,
)


class Gan(SeveralLosses):
    """Goodfellow et al. (2014), Algorithm 1 and the last paragraph of section 3."""

    losses = ("discriminator_loss", "generator_loss")

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.discriminator, self.generator = make_mlp(2, width, width, 1), make_mlp(2, width, width, 2)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            fake = self.generator(batch["noise"])
        real_score, fake_score = self.discriminator(batch["real"]), self.discriminator(fake)
        ones, zeros = torch.ones_like(real_score), torch.zeros_like(real_score)
        return F.binary_cross_entropy_with_logits(real_score, ones) + F.binary_cross_entropy_with_logits(fake_score, zeros)

    def generator_loss(self, batch: Batch) -> Tensor:
        fake_score = self.discriminator(self.generator(batch["noise"]))
        return F.binary_cross_entropy_with_logits(fake_score, torch.ones_like(fake_score))


class VqVae(Plain):
    """Van den Oord et al. (2017), equations 1 to 3."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.codebook = nn.Parameter(torch.zeros(8, 4))
        convolutions = nn.Conv2d(1, width, 4, 2, 1), nn.Conv2d(width, width, 4, 2, 1), nn.Conv2d(width, 4, 1)
        self.encoder = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])
        self.decoder = nn.Sequential(nn.ConvTranspose2d(4, width, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width, 1, 4, 2, 1))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        encoded = self.encoder(batch["image"]).permute(0, 2, 3, 1)
        with torch.no_grad():
            code = (encoded[..., None, :] - self.codebook).pow(2).sum(-1).argmin(-1)
        quantized = self.codebook[code]
        straight = encoded + (quantized - encoded).detach()
        error = F.mse_loss(self.decoder(straight.permute(0, 3, 1, 2)), batch["image"])
        codebook_loss, commitment_loss = F.mse_loss(quantized, encoded.detach()), F.mse_loss(encoded, quantized.detach())
        return {"loss": error + codebook_loss + 0.25 * commitment_loss, "error": error}


class AnnealedVae(Plain):
    """Kingma and Welling (2013), with the weight of Bowman et al. (2016), section 3.1."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, width)
        self.mean, self.log_variance = nn.Linear(width, 3), nn.Linear(width, 3)
        self.decoder = make_mlp(3, width, 6)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        h = F.relu(self.encoder(batch["image"]))
        mean, log_variance = self.mean(h), self.log_variance(h)
        logits = self.decoder(mean + batch["noise"] * (0.5 * log_variance).exp())
        error = F.binary_cross_entropy_with_logits(logits, batch["image"], reduction="sum") / len(logits)
        prior, posterior = torch.distributions.Normal(0, 1), torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
        return {"loss": error + batch["weight"] * kl, "error": error, "kl": kl}


class FlowMatching(Plain):
    """Liu et al. (2023), equation 1; Lipman et al. (2023), equation 23, for a deviation of 0 at the end."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.network = make_mlp(3, width, width, width, 2, activation=nn.SiLU)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        start, end, time = batch["noise"], batch["data_point"], batch["time"][:, None]
        velocity = self.network(torch.cat((torch.lerp(start, end, time), time), dim=1))
        return {"loss": ((end - start - velocity) ** 2).mean()}


def make_pictures(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return {"image": generator.random((samples, 1, 8, 8), np.float32)}


GENERATIVE = {
    "gan": Recipe(
        make_points,
        Gan,
        WIDTH,
        partial(torch.optim.Adam, betas=(0.5, 0.999)),
        (Turn("discriminator_loss", "discriminator.", 1e-3), Turn("generator_loss", "generator.", 1e-3)),
    ),
    "vq_vae": Recipe(make_pictures, VqVae, {"codes": 8, "width": 6, "features": 4}, torch.optim.Adam),
    "vae_annealed": Recipe(
        make_views, AnnealedVae, SIZES | {"latent": 3}, torch.optim.Adam, vary=lambda step: {"weight": torch.tensor(min(step / 1000, 1.0))}
    ),
    "flow_matching": Recipe(
        partial(make_points, name="data_point"),
        FlowMatching,
        WIDTH,
        torch.optim.Adam,
        (Turn("loss", "", 2e-3),),
        cosine=True,
    ),
}
