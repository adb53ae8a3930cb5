"""The face detector: a small network that marks face centres on a grid of stride 4."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "MULTIPLE",
    "SIDE_LIMITS",
    "STRIDE",
    "UNIT_SIDE",
    "ConvBlock",
    "DetectorNetwork",
    "Residual",
    "decode",
]

STRIDE = 4  # pixels per cell of the grid
MULTIPLE = 64  # height and width of the images: the coarsest level has this stride
UNIT_SIDE = 32.0  # side of a face, in pixels, whose logarithm is 0
SIDE_LIMITS = (-3.0, 4.0)  # of that logarithm
PRIOR = 0.01  # share of cells that look like a face before training


class DetectorNetwork(nn.Module):
    """Heat map of face centres and, per cell, the face's side, offset and eyes.

    Residual levels of stride 4 to 64; the coarse ones are added back to the fine ones, so that a
    cell of stride 4 sees a face that fills a picture of 384 pixels whole.

    Source: Zhou et al. 2019 (Objects as Points) with the top-down path of Lin et al. 2017
    (feature pyramids); one side per face, since our boxes are squares.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBlock(3, 24, stride=2)
        self.level4 = nn.Sequential(ConvBlock(24, 32, stride=2), Residual(32))
        self.level8 = nn.Sequential(ConvBlock(32, 64, stride=2), Residual(64), Residual(64))
        self.level16 = nn.Sequential(ConvBlock(64, 88, stride=2), Residual(88), Residual(88))
        self.level32 = nn.Sequential(ConvBlock(88, 104, stride=2), ConvBlock(104, 104))
        self.level64 = nn.Sequential(ConvBlock(104, 104, stride=2), ConvBlock(104, 104))
        self.down32 = nn.Conv2d(104, 88, 1)
        self.down16 = nn.Conv2d(88, 64, 1)
        self.down8 = nn.Conv2d(64, 32, 1)
        last = nn.Conv2d(48, 8, 1)
        self.head = nn.Sequential(ConvBlock(32, 48), last)
        nn.init.normal_(last.weight, std=0.01)
        last.bias = nn.Parameter(torch.zeros(8))
        last.bias.data[0] = -math.log((1 - PRIOR) / PRIOR)

    def forward(self, images: Tensor) -> Tensor:
        """Map images, [N, 3, H, W], in [-1, 1], H and W multiples of 64, to a grid.

        Returns:
            [N, 8, H/4, W/4]: logit of a centre here; log of the side over 32 pixels; offset
            (x, y) of the centre from the cell's middle, in cells; the two eyes (x, y, x, y)
            from the cell's middle, in sides of the face.
        """
        level4 = self.level4(self.stem(images))  # [N, 32, H/4, W/4]
        level8 = self.level8(level4)
        level16 = self.level16(level8)
        level32 = self.level32(level16)
        level32 = level32 + _double(self.level64(level32))
        level16 = level16 + _double(self.down32(level32))
        level8 = level8 + _double(self.down16(level16))
        level4 = level4 + _double(self.down8(level8))
        return self.head(level4)


def decode(grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Read candidates off the network's grid, one per cell; cells that are no peak score 0.

    Args:
        grid: [N, 8, H, W] of `DetectorNetwork`.

    Returns:
        scores [N, H*W], in [0, 1]; boxes [N, H*W, 4] and eyes [N, H*W, 4], in pixels.
    """
    heat = grid[:, :1].sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, stride=1, padding=1) == heat)
    ones = torch.ones_like(heat)
    x = (ones.cumsum(3) - 0.5) * STRIDE  # middle of the cell
    y = (ones.cumsum(2) - 0.5) * STRIDE
    side = grid[:, 1:2].clamp(*SIDE_LIMITS).exp() * UNIT_SIDE
    center_x, center_y = x + grid[:, 2:3] * STRIDE, y + grid[:, 3:4] * STRIDE
    half = side / 2
    boxes = torch.cat([center_x - half, center_y - half, center_x + half, center_y + half], dim=1)
    eyes = torch.cat([x, y, x, y], dim=1) + grid[:, 4:] * side
    return peaks.flatten(1), boxes.flatten(2).mT, eyes.flatten(2).mT


class ConvBlock(nn.Module):
    """3 x 3 convolution, batch norm, ReLU."""

    def __init__(self, num_in: int, num_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, num_in, H, W] to [N, num_out, H/stride, W/stride]."""
        return self.norm(self.conv(x)).relu()


class Residual(nn.Module):
    """Two blocks beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(channels, channels), ConvBlock(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Add to [N, C, H, W] what the blocks make of it."""
        return x + self.body(x)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
