"""A discriminator of codes: it tells those of the encoder from those of the mapping."""

from typing import Any

import torch
from torch import Tensor, nn

from nfe.gan.losses import discriminator_loss, generator_loss, r1_penalty
from nfe.gan.ops import EqualLinear, leaky_relu
from nfe.inversion.settings import LatentDiscriminatorSettings

__all__ = ["CodePool", "LatentAdversary", "LatentDiscriminator"]


class LatentDiscriminator(nn.Module):
    """codes -> logits: four fully connected layers, as wide as a code.

    Args:
        w_dim: Length of a code.

    Source: Tov et al. 2021 (e4e); Leng et al. 2021 (force-in-domain). The layers have
        an equalised learning rate.
    """

    def __init__(self, w_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EqualLinear(w_dim, w_dim) for _ in range(3))
        self.output = EqualLinear(w_dim, 1, gain=1.0)

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes [N, w_dim] to logits [N]; above 0 looks like the mapping's."""
        x = codes
        for layer in self.layers:
            x = leaky_relu(layer(x))
        return self.output(x)[:, 0]


class CodePool:
    """Past codes of the encoder, so that D_w does not forget what E has left behind.

    Args:
        size: Codes to keep; 0 for a pool that gives back what it is given.

    Source: Tov et al. 2021 (e4e), after the pool of images of Shrivastava et al. 2017. Ours holds
        all layers of a picture's code.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.codes: list[Tensor] = []

    def swap(self, codes: Tensor, random: torch.Generator) -> Tensor:
        """Exchange half of the codes for older ones, once the pool is full.

        Args:
            codes: New codes, without gradient, [N, num_ws, w_dim].
            random: Chooses which are exchanged, and for which.

        Returns:
            New and older codes, [N, num_ws, w_dim].
        """
        shown = []
        for code in codes if self.size else []:
            if len(self.codes) < self.size:
                self.codes.append(code)
            elif float(torch.rand((), generator=random)) < 0.5:
                place = int(torch.randint(self.size, (), generator=random))
                code, self.codes[place] = self.codes[place], code
            shown.append(code)
        return torch.stack(shown) if shown else codes


class LatentAdversary:
    """D_w with its optimiser and pool, and the term that E has against it.

    D_w is shown the code of each layer by itself, from the mean code, in deviations of w: so one
    learning rate and one weight of R1 fit every generator.

    Args:
        w_avg: Mean code, [w_dim].
        w_scale: Unit per dimension, [w_dim].
        settings: How to train D_w.
        seed: The fresh weights follow from it.
    """

    def __init__(
        self, w_avg: Tensor, w_scale: Tensor, settings: LatentDiscriminatorSettings, seed: int
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = LatentDiscriminator(len(w_avg)).to(w_avg.device)
        self.w_avg, self.w_scale, self.settings = w_avg, w_scale, settings
        self.pool = CodePool(settings.pool_size)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=settings.learning_rate, betas=(0.0, 0.99), foreach=True
        )

    def train_step(self, w_plus: Tensor, w: Tensor, step: int, random: torch.Generator) -> Tensor:
        """Train D_w one step in float32, with R1 where it is due.

        Args:
            w_plus: Codes of the encoder, [N, num_ws, w_dim].
            w: Codes of the mapping, [M, w_dim].
            step: Number of the step.
            random: Chooses what is shown from the pool.

        Returns:
            The loss, a scalar without gradient.
        """
        encoded = self._points(self.pool.swap(w_plus.detach(), random))
        sampled = self._points(w)
        loss = discriminator_loss(self.network(sampled), self.network(encoded))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if step % self.settings.r1_interval == 0:
            self._penalise(sampled)
        self.optimiser.step()
        return loss.detach()

    def term(self, w_plus: Tensor) -> Tensor:
        """Return E's term, mean softplus(-D_w(w)) over layers; it gives D_w no gradient."""
        self.network.requires_grad_(False)
        term = generator_loss(self.network(self._points(w_plus)))
        self.network.requires_grad_(True)
        return term

    def state_dict(self) -> dict[str, Any]:
        """Return all that training changes."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "pool": torch.stack(self.pool.codes) if self.pool.codes else torch.empty(0),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.pool.codes = list(state["pool"].to(self.w_avg.device))

    def _points(self, codes: Tensor) -> Tensor:
        """Return each code [..., w_dim] by itself, in deviations of w: [M, w_dim]."""
        return ((codes - self.w_avg) / self.w_scale).flatten(0, -2)

    def _penalise(self, sampled: Tensor) -> None:
        """Add the gradient of R1, times its interval."""
        points = sampled.detach()[:, :, None, None].requires_grad_(True)  # as images of one pixel
        penalty = r1_penalty(self.network(points.flatten(1)), points)
        (penalty * (self.settings.r1_gamma / 2 * self.settings.r1_interval)).backward()
