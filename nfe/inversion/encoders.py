"""The residual encoder: images -> w_plus."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Encoder", "add_deltas"]

HEAD_CHANNELS = 64
SIDE_OF_HEAD = 4
FRESH_STD = 0.02
ALONG_GAIN = 4.0  # of the learning rate along the directions
CODE_MOMENTUM = 0.02  # of the running moments of standardised codes


class ResidualBlock(nn.Module):
    """Halves the side: two 3 x 3 convolutions with batch normalisation, beside a 1 x 1 shortcut."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(num_in, num_in, 3, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(num_in)
        self.conv1 = nn.Conv2d(num_in, num_out, 3, padding=1, stride=2, bias=False)
        self.norm1 = nn.BatchNorm2d(num_out)
        self.shortcut = nn.Conv2d(num_in, num_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, num_in, H, W] to [N, num_out, H / 2, W / 2]."""
        y = F.leaky_relu(self.norm0(self.conv0(x)), 0.2)
        y = self.norm1(self.conv1(y))
        return F.leaky_relu(y + self.shortcut(F.avg_pool2d(x, 2)), 0.2)


def add_deltas(changes: Tensor, num_released: int) -> Tensor:
    """Return w_0 for the first layer, and for each other layer w_0 and its delta if that is on.

    Args:
        changes: w_0 and the deltas of the other layers, [N, num_ws, D].
        num_released: Deltas that are on, the first ones.

    Returns:
        One code per layer, [N, num_ws, D].
    """
    first, deltas = changes[:, :1], changes[:, 1:]
    layers = torch.arange(deltas.shape[1], device=changes.device)
    on = (layers < num_released).to(changes.dtype)[:, None]  # [num_ws - 1, 1]
    return torch.cat([first, first + on * deltas], dim=1)


class Encoder(nn.Module):
    """One w per layer of the generator, as a change of the mean code.

    w_plus = w_avg + w_scale * network(images). The last layer starts at zero, so that an
    untrained encoder answers w_avg; the network's output is in standard deviations of w, so that
    one learning rate fits every generator.

    With `deltas` the network's output is w_0 and, for each other layer, its difference from w_0;
    the first `num_released` of these are on: all, unless training says otherwise.

    With `standardised` each entry of a code is brought to mean 0 and variance 1 over pictures and
    layers, and then to the mean and the deviation that sampled codes have in it.

    An encoder knows the directions along which codes change pictures: its answers are refined
    along them, and a standardised one begins with what pictures do not show and learns the rest
    along them.

    Args:
        resolution: Side of the images, a power of two of at least 8.
        channel_base: Width times side of the layers, up to `channel_max`.
        channel_max: Largest width.
        num_ws: Codes per image.
        w_dim: Length of w.
        num_directions: Directions along which codes are refined.
        deltas: Whether the layers after the first are differences from it.
        standardised: Whether codes have the mean and the variances of sampled ones.

    Raises:
        ValueError: If `resolution` is no power of two of at least 8.

    Source: Zhu et al. 2020 (IDInvert): a residual encoder whose batch normalisation keeps
        inversions regular. We differ: 2 x 2 pixels enter as 12 channels, which spares the costly
        full-resolution layers, and the output is relative to the mean code. The deltas are those
        of Tov et al. 2021 (e4e). Standardised codes are ours: batch normalisation gives at once
        the two moments that a discriminator of codes teaches slowly and at the pictures' expense.
    """

    w_avg: Tensor
    w_scale: Tensor
    w_deviations: Tensor
    search_directions: Tensor

    def __init__(
        self,
        resolution: int,
        channel_base: int,
        channel_max: int,
        num_ws: int,
        w_dim: int,
        num_directions: int,
        deltas: bool = False,
        standardised: bool = False,
    ) -> None:
        super().__init__()
        if resolution < 8 or resolution & (resolution - 1):
            raise ValueError(f"resolution must be a power of two of at least 8, got {resolution}")
        self.config = {
            "resolution": resolution,
            "channel_base": channel_base,
            "channel_max": channel_max,
            "num_ws": num_ws,
            "w_dim": w_dim,
            "num_directions": num_directions,
            **({"deltas": True} if deltas else {}),  # descriptions without it are of no deltas
            **({"standardised": True} if standardised else {}),
        }
        self.num_ws, self.w_dim = num_ws, w_dim
        self.deltas, self.standardised = deltas, standardised
        self.num_released = num_ws - 1
        sides = [2**i for i in range(int(math.log2(resolution)) - 1, 1, -1)]
        widths = [min(channel_base // side, channel_max) for side in sides]
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(widths))
        self.head = nn.Conv2d(widths[-1], HEAD_CHANNELS, 1, bias=False)
        self.norm = nn.BatchNorm2d(HEAD_CHANNELS)
        self.output = nn.Linear(HEAD_CHANNELS * SIDE_OF_HEAD**2, num_ws * w_dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.register_buffer("w_avg", torch.zeros(w_dim))
        self.register_buffer("w_scale", torch.ones(w_dim))
        # In float16, which halves the file and is finer than a step.
        directions = torch.zeros(num_directions, num_ws, w_dim, dtype=torch.float16)
        self.register_buffer("search_directions", directions)
        if standardised:
            self.along = nn.Linear(self.output.in_features, num_directions, bias=False)
            nn.init.zeros_(self.along.weight)
            self.standardise = nn.BatchNorm1d(w_dim, affine=False, momentum=CODE_MOMENTUM)
            self.register_buffer("w_deviations", torch.ones(w_dim))

    @torch.no_grad()
    def centre_on(self, w: Tensor) -> None:
        """Take the mean and the mean deviation of sampled codes [N, w_dim] as centre and unit."""
        self.w_avg.copy_(w.mean(dim=0))
        self.w_scale.fill_(w.std(dim=0).square().mean().sqrt())
        if self.standardised:
            self.w_deviations.copy_(w.std(dim=0))

    @torch.no_grad()
    def search_along(self, directions: Tensor) -> None:
        """Take directions [num_directions, num_ws, w_dim], at right angles to each other.

        A standardised encoder begins anew, with answers at right angles to them, or, if they are
        many, to as many as leave half of the dimensions.
        """
        self.search_directions.copy_(directions)
        if self.standardised:
            units = F.normalize(directions.flatten(1), dim=1)[: self.num_ws * self.w_dim // 2]
            fresh = torch.randn_like(self.output.weight)
            self.output.weight.copy_(FRESH_STD * (fresh - units.T @ (units @ fresh)))

    def move(self, moves: Tensor) -> Tensor:
        """Return the change of codes, [N, num_ws, w_dim], by moves [N, num_directions]."""
        change: Tensor = moves @ self.search_directions.flatten(1).to(moves)
        return change.view(-1, self.num_ws, self.w_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N, 3, resolution, resolution] to w_plus [N, num_ws, w_dim]."""
        x = F.pixel_unshuffle(images, 2).contiguous(memory_format=torch.channels_last)
        x = F.leaky_relu(self.stem(x), 0.2)
        for block in self.blocks:
            x = block(x)
        x = F.leaky_relu(self.norm(self.head(x)), 0.2)
        x = x.flatten(1)
        changes = self.output(x).view(-1, self.num_ws, self.w_dim)
        if self.deltas:
            changes = add_deltas(changes, self.num_released)
        if self.standardised:
            changes = changes + ALONG_GAIN * self.move(self.along(x))
            standard = self.standardise(changes.flatten(0, 1).float())
            return self.w_avg + self.w_deviations * standard.view_as(changes)
        return self.w_avg + self.w_scale * changes
