from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.errors import ModelFileError
from nfe.inversion.vgg16 import VGG16

CONVOLUTIONS = (
    0,
    2,
    5,
    7,
    10,
    12,
    14,
    17,
    19,
    21,
    24,
    26,
    28,
)  # their places in torchvision's file


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision's, with drawn weights and a shorter classifier."""
    torch.manual_seed(0)
    state = {"classifier.0.weight": torch.zeros(2, 2)}
    for key, value in VGG16().layers.state_dict().items():
        state[f"features.{key}"] = torch.randn_like(value) * 0.05
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save(state, path)
    return path


def slow_maps(images: Tensor, state: dict[str, Tensor]) -> list[Tensor]:
    """The paper's network, convolution by convolution; the last map before each pooling."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    x = ((images * 127.5 + 127.5) / 255 - mean) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    maps = []
    for place, after in zip(CONVOLUTIONS, (*CONVOLUTIONS[1:], 31), strict=True):
        weight, bias = (state[f"features.{place}.{part}"] for part in ("weight", "bias"))
        x = F.conv2d(x, weight, bias, padding=1).relu()
        if after - place == 3:  # a pooling comes between
            maps.append(x)
            x = F.max_pool2d(x, 2)
    return maps


def test_maps_are_those_of_the_file(weights: Path) -> None:
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64) * 2 - 1
    found = VGG16.load(weights, "cpu").double().feature_maps(images)
    expected = slow_maps(images, {k: v.double() for k, v in torch.load(weights).items()})
    assert [tuple(each.shape[1:]) for each in found] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_only_the_pictures_have_a_gradient(weights: Path) -> None:
    network = VGG16.load(weights, "cpu")
    images = torch.rand(1, 3, 16, 16, requires_grad=True)
    network.feature_maps(images)[-1].sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("content", [b"no weights", b""])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vgg16.pth"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="must be torchvision's weights of VGG16"):
        VGG16.load(path, "cpu")


def test_another_network_and_no_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.pth"
    with pytest.raises(ModelFileError, match="weights of VGG16, such as"):
        VGG16.load(path, "cpu")
    for state in ({"features.0.weight": torch.zeros(8, 3, 3, 3)}, [1, 2]):
        torch.save(state, path)
        with pytest.raises(ModelFileError, match="weights of VGG16, such as"):
            VGG16.load(path, "cpu")
