"""Imported weights against StyleGAN2 as published, written slowly: per sample, NumPy, float64."""

import argparse
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d

from nfe.errors import ModelFileError
from nfe.gan.import_weights import read_checkpoint, save_generator
from nfe.gan.storage import load_generator

Arrays = dict[str, np.ndarray]
WIDTHS, SIDE, DIM, NUM_LAYERS = [6, 4, 2], 16, 8, 3  # 6 at 4 pixels, 4 at 8, 2 at 16: 32 / side
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64 * 4


def published_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tensors in the layout of rosinality/stylegan2-pytorch, with its unused buffers."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"input.input": (1, WIDTHS[0], 4, 4)}
    for i in range(NUM_LAYERS):
        shapes |= {f"style.{i + 1}.weight": (DIM, DIM), f"style.{i + 1}.bias": (DIM,)}
    layers = [("conv1", WIDTHS[0], WIDTHS[0], 4)]
    outputs = [("to_rgb1", WIDTHS[0])]
    for i, (before, width) in enumerate(pairwise(WIDTHS)):
        side = 8 * 2**i
        layers += [(f"convs.{2 * i}", before, width, side)]
        layers += [(f"convs.{2 * i + 1}", width, width, side)]
        outputs.append((f"to_rgbs.{i}", width))
        shapes |= {
            f"convs.{2 * i}.conv.blur.kernel": (4, 4),
            f"to_rgbs.{i}.upsample.kernel": (4, 4),
        }
    for i, (name, num_in, num_out, side) in enumerate(layers):
        shapes[f"{name}.conv.weight"] = (1, num_out, num_in, 3, 3)
        shapes[f"{name}.noise.weight"] = (1,)
        shapes[f"{name}.activate.bias"] = (num_out,)
        shapes[f"noises.noise_{i}"] = (1, 1, side, side)
    for name, num_in in outputs:
        shapes[f"{name}.conv.weight"] = (1, 3, num_in, 1, 1)
        shapes[f"{name}.bias"] = (1, 3, 1, 1)
    for name, num_in in [*((name, num_in) for name, num_in, _, _ in layers), *outputs]:
        shapes[f"{name}.conv.modulation.weight"] = (num_in, DIM)
        shapes[f"{name}.conv.modulation.bias"] = (num_in,)
    tensors = {name: torch.from_numpy(rng.standard_normal(s)).float() for name, s in shapes.items()}
    for name in tensors:
        if name.startswith("style.") and name.endswith("weight"):
            tensors[name] *= 100  # stored divided by the multiplier of the learning rate
    return tensors


def published_mapping(p: Arrays, z: np.ndarray) -> np.ndarray:
    x = z / np.sqrt((z**2).mean() + 1e-8)
    for i in range(NUM_LAYERS):
        x = p[f"style.{i + 1}.weight"] @ x * (0.01 / np.sqrt(DIM)) + 0.01 * p[f"style.{i + 1}.bias"]
        x = np.sqrt(2) * np.where(x > 0, x, 0.2 * x)
    return x


def published_convolution(
    p: Arrays, name: str, x: np.ndarray, w: np.ndarray, demodulate: bool, doubles: bool
) -> np.ndarray:
    """The weights are scaled for this sample, then convolved channel by channel."""
    style = p[f"{name}.modulation.weight"] @ w / np.sqrt(DIM) + p[f"{name}.modulation.bias"]
    weight = p[f"{name}.weight"][0]
    weight = weight / np.sqrt(weight[0].size) * style[None, :, None, None]
    if demodulate:
        weight = weight / np.sqrt((weight**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
    if not doubles:
        return sum_of(lambda a, k: correlate2d(a, k, mode="same"), x, weight)
    spread = np.zeros((len(x), 2 * x.shape[1] - 1, 2 * x.shape[2] - 1))
    spread[:, ::2, ::2] = x
    y = sum_of(lambda a, k: convolve2d(a, k, mode="full"), spread, weight)
    padded = np.pad(y, ((0, 0), (1, 1), (1, 1)))
    return np.stack([correlate2d(channel, FILTER, mode="valid") for channel in padded])


def sum_of(convolve: Any, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.stack(
        [sum(convolve(a, k) for a, k in zip(x, kernels, strict=True)) for kernels in weight]
    )


def published_layer(
    p: Arrays, name: str, index: int, x: np.ndarray, w: np.ndarray, doubles: bool
) -> np.ndarray:
    x = published_convolution(p, f"{name}.conv", x, w, True, doubles)
    x = x + p[f"{name}.noise.weight"] * p[f"noises.noise_{index}"][0]
    x = x + p[f"{name}.activate.bias"][:, None, None]
    return np.sqrt(2) * np.where(x > 0, x, 0.2 * x)


def published_rgb(p: Arrays, name: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return published_convolution(p, f"{name}.conv", x, w, False, False) + p[f"{name}.bias"][0]


def published_upsampling(images: np.ndarray) -> np.ndarray:
    spread = np.zeros((3, 2 * images.shape[1], 2 * images.shape[2]))
    spread[:, ::2, ::2] = images
    padded = np.pad(spread, ((0, 0), (2, 1), (2, 1)))
    return np.stack([correlate2d(channel, FILTER, mode="valid") for channel in padded])


def published_synthesis(p: Arrays, w_plus: np.ndarray) -> np.ndarray:
    x = published_layer(p, "conv1", 0, p["input.input"][0], w_plus[0], False)
    images = published_rgb(p, "to_rgb1", x, w_plus[1])
    for i in range(len(WIDTHS) - 1):
        x = published_layer(p, f"convs.{2 * i}", 2 * i + 1, x, w_plus[2 * i + 1], True)
        x = published_layer(p, f"convs.{2 * i + 1}", 2 * i + 2, x, w_plus[2 * i + 2], False)
        images = published_upsampling(images) + published_rgb(
            p, f"to_rgbs.{i}", x, w_plus[2 * i + 3]
        )
    return images


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return published_weights()


def write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("legacy", [False, True])
def test_images_are_those_of_the_published_network(
    weights: dict[str, torch.Tensor], tmp_path: Path, legacy: bool
) -> None:
    average = torch.randn(DIM)
    content = {"g_ema": weights, "latent_avg": average, "args": argparse.Namespace(size=SIDE)}
    path = tmp_path / "a.pt"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    save_generator(tmp_path / "model", read_checkpoint(path), {"file": "a.pt"})
    generator = load_generator(tmp_path / "model", "cpu")
    p = {name: tensor.double().numpy() for name, tensor in weights.items()}
    rng = np.random.default_rng(1)
    z, w_plus = rng.standard_normal((2, DIM)), rng.standard_normal((2, generator.num_ws, DIM))
    np.testing.assert_allclose(
        generator.mapping(torch.from_numpy(z).float()),
        np.stack([published_mapping(p, one) for one in z]),
        atol=1e-4,
    )
    expected = np.stack([published_synthesis(p, one) for one in w_plus])
    found = generator.synthesis(torch.from_numpy(w_plus).float()).numpy()
    assert found.shape == (2, 3, SIDE, SIDE)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert torch.equal(generator.w_avg, average)


def test_without_an_average_it_is_sampled(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    generator = read_checkpoint(write(tmp_path / "a.pt", {"g_ema": weights}))
    z = torch.randn(20_000, DIM, generator=torch.Generator().manual_seed(5))
    w = generator.mapping(z)
    assert ((generator.w_avg - w.mean(dim=0)).abs() < 0.05 * w.std(dim=0)).all()


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def test_what_is_no_such_checkpoint_is_refused_and_not_executed(
    weights: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pkl = Path("ffhq.pkl")
    pkl.write_bytes(pickle.dumps({"g_ema": Evil()}))
    lacking = {name: t for name, t in weights.items() if name != "noises.noise_2"}
    narrow = {**weights, "to_rgbs.0.conv.weight": torch.zeros(1, 3, 5, 1, 1)}
    cases = [
        (Path("nowhere.pt"), "must be a checkpoint file, it is missing"),
        (pkl, "holds Python code that runs when it is read: convert it with convert_weight.py"),
        (write(Path("evil.pt"), {"g_ema": Evil()}), "must hold tensors alone"),
        (write(Path("list.pt"), [1]), "it has no g_ema"),
        (write(Path("empty.pt"), {"g_ema": {}}), "must have the layout of rosinality"),
        (write(Path("lacking.pt"), {"g_ema": lacking}), "it lacks noises.noise_2"),
        (write(Path("narrow.pt"), {"g_ema": narrow}), r"layers of \[6, 5, 2\] channels"),
    ]
    for path, message in cases:
        with pytest.raises(ModelFileError, match=message) as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)
    assert not Path("executed").exists()
