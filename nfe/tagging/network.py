"""The tagger's network: a compact residual CNN; also the features of our own metrics and losses."""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

__all__ = ["TaggerNetwork"]


class ResidualBlock(nn.Module):
    """A strided convolution to new channels, then a residual branch of two convolutions."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.down = _conv(num_in, num_out, stride=2)
        self.first = _conv(num_out, num_out, stride=1)
        self.second = _conv(num_out, num_out, stride=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, num_in, H, W] to [N, num_out, H / 2, W / 2]."""
        x = F.relu(self.down(x))
        y: torch.Tensor = self.second(F.relu(self.first(x)))
        return F.relu(x + y)


def _conv(num_in: int, num_out: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(num_out))


class TaggerNetwork(nn.Module):
    """Images to logits of tags; its maps and its embedding serve as features.

    Args:
        resolution: Side of the images it works on: a power of 2, 16 or more. Images of
            another size are resized.
        width: Channels after the first layer; doubled at each halving, up to 8 * width.
        num_tags: Number of outputs.
    """

    def __init__(self, resolution: int, width: int, num_tags: int) -> None:
        super().__init__()
        if resolution < 16 or resolution & (resolution - 1):
            raise ValueError(f"resolution must be a power of 2, 16 or more, got {resolution}")
        self.config: dict[str, Any] = {
            "resolution": resolution,
            "width": width,
            "num_tags": num_tags,
        }
        self.resolution = resolution
        num_blocks = resolution.bit_length() - 4  # from resolution / 2 down to 4
        channels = [width * 2 ** min(i, 3) for i in range(num_blocks + 1)]
        self.stem = _conv(3, width, stride=2)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(channels))
        self.num_features = channels[-1]
        self.normalise = nn.BatchNorm1d(self.num_features)
        self.head = nn.Linear(self.num_features, num_tags)

    def fold_norms(self) -> None:
        """Put each norm into its convolution: the same answers, sooner; for use, not training."""
        for name, part in list(self.named_modules()):
            if isinstance(part, nn.Sequential):
                conv, norm = part
                assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
                self.set_submodule(name, fuse_conv_bn_eval(conv, norm))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of the tags, [N, num_tags], of images [N, 3, H, W]."""
        return self.logits(self.feature_maps(images)[-1])

    def logits(self, last_map: torch.Tensor) -> torch.Tensor:
        """Return the logits of the tags, [N, num_tags], of the last of the maps."""
        logits: torch.Tensor = self.head(self.normalise(last_map.mean(dim=(2, 3))))
        return logits

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        """Return the normalised mean of the last map, [N, num_features]."""
        features: torch.Tensor = self.normalise(self.feature_maps(images)[-1].mean(dim=(2, 3)))
        return features

    def feature_maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps after each halving, from resolution / 2 down to 4 x 4."""
        size = (self.resolution, self.resolution)
        if images.shape[2:] != size:
            images = F.interpolate(
                images, size, mode="bilinear", align_corners=False, antialias=True
            )
        maps = [F.relu(self.stem(images))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps
