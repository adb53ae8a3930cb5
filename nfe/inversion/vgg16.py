"""Feature maps of VGG16, whose weights are a file that the user has."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from nfe.errors import ModelFileError

__all__ = ["VGG16"]

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, 0 to 1
PREFIX = "features."  # of the convolutions in torchvision's file


class VGG16(nn.Module):
    """The convolutions of VGG16, frozen.

    Source: Simonyan and Zisserman 2015; the order of layers, and so the names of their weights,
        is torchvision's. The maps are those of Zhang et al. 2018 (LPIPS).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        num_in, self.ends = 3, []
        for block in BLOCKS:
            for width in block:
                layers += [nn.Conv2d(num_in, width, 3, padding=1), nn.ReLU()]
                num_in = width
            self.ends.append(len(layers) - 1)
            layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers[:-1])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls, weights: Path, device: str) -> "VGG16":
        """Read torchvision's vgg16 file; the layers after the convolutions are not used.

        Raises:
            ModelFileError: If the file is missing, damaged, or of another network.
        """
        network = cls()
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            network.layers.load_state_dict(
                {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}
            )
        except (OSError, RuntimeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
            problem = (str(error) or "an empty file").splitlines()[0]
            raise ModelFileError(
                f"{weights} must be torchvision's weights of VGG16, such as vgg16-397923af.pth, "
                f"got: {problem}; download it again"
            ) from error
        return network.to(device)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the last maps at each size, [N, 64 to 512, h, w], of images in [-1, 1].

        Args:
            images: [N, 3, H, W], of 16 pixels or more.
        """
        x, maps = ((images + 1) / 2 - self.mean) / self.deviation, []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.ends:
                maps.append(x)
        return maps
