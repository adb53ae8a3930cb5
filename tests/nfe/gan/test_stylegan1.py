"""The first StyleGAN's synthesis: closed forms, every side, training and resume."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from torch.nn import functional as F

from nfe.gan.networks import Discriminator, Generator
from nfe.gan.ops import upsample
from nfe.gan.settings import GrowthStep, TrainingSettings
from nfe.gan.stylegan1 import AdainLayer, adain
from nfe.gan.training import GanTrainer
from nfe.gan.watching import Evaluation, WatchLimits
from tasks.gan_parts import Params, build_networks

ROOT = Path(__file__).parents[3]
SETTINGS = TrainingSettings(
    growth=(GrowthStep(8, 0.012, 0.004, 1.0), GrowthStep(16, 0.012, 0.002, 1.0)),
    adam_betas=(0.5, 0.999),
    batch_size=4,
    decay_share=0.0,
    mapping_rise=1.0,
    r1_interval=3,
    ema_kimg=0.01,
    ema_rampup=0.5,
    mixing_probability=0.5,
    mirror=True,
    colour_weight=0.0,
    augment_target=None,
    bf16=False,
    checkpoint_kimg=0.008,
    limits=WatchLimits(min_diversity=0.0, max_logit=50, max_rollbacks=0),
)


def _generator(resolution: int) -> Generator:
    torch.manual_seed(0)
    generator = Generator(
        resolution=resolution,
        z_dim=8,
        w_dim=8,
        num_mapping_layers=2,
        channel_base=1024,
        channel_max=8,
        architecture="stylegan",
    )
    for name, parameter in generator.synthesis.named_parameters():
        if "noise_strength" in name or "to_rgb" in name:  # as after some training
            torch.nn.init.normal_(parameter)
    return generator


def test_adain_gives_the_mean_and_the_deviation_of_the_style() -> None:
    x = torch.randn(3, 5, 8, 8) * 4 - 2
    scale, shift = torch.randn(3, 5), torch.randn(3, 5)
    y = adain(x, scale, shift)
    torch.testing.assert_close(y.mean(dim=(2, 3)), shift, atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=(2, 3), correction=0), scale.abs())


def test_adain_is_instance_norm_and_then_the_style() -> None:
    x, scale, shift = torch.randn(2, 4, 6, 6), torch.randn(2, 4), torch.randn(2, 4)
    normed = F.instance_norm(x, eps=1e-8)
    expected = normed * scale[:, :, None, None] + shift[:, :, None, None]
    torch.testing.assert_close(adain(x, scale, shift), expected)
    constant = adain(torch.full((2, 4, 6, 6), 3.0), scale, shift)
    torch.testing.assert_close(constant[:, :, 0, 0], shift)


def test_a_layer_is_its_steps_in_order() -> None:
    torch.manual_seed(0)
    layer = AdainLayer(3, 4, side=8, w_dim=5)
    for parameter in (layer.noise_strength, layer.bias):
        torch.nn.init.normal_(parameter)
    x, w = torch.randn(2, 3, 8, 8), torch.randn(2, 5)
    y = F.conv2d(x, layer.conv.weight * layer.conv.scale, padding=1)
    for channel in range(4):
        y[:, channel] += layer.noise * layer.noise_strength[channel] + layer.bias[channel]
    style = w @ (layer.affine.weight * layer.affine.scale).t() + layer.affine.bias
    expected = adain(F.leaky_relu(y, 0.2), style[:, :4], style[:, 4:])
    torch.testing.assert_close(layer(x, w), expected)


def test_upsampling_is_the_blur_121_of_nearest_pixels_and_keeps_constants() -> None:
    x = torch.randn(2, 3, 5, 5)
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (line[:, None] * line)[None, None].expand(3, 1, 3, 3)
    near = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1, 1, 1, 1), mode="replicate")
    torch.testing.assert_close(upsample(x), F.conv2d(near, kernel, groups=3))
    torch.testing.assert_close(
        upsample(torch.full((1, 2, 4, 4), 3.0)), torch.full((1, 2, 8, 8), 3.0)
    )


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256])
def test_every_side_works_and_growth_changes_nothing_at_first(resolution: int) -> None:
    generator = _generator(resolution)
    assert generator.num_ws == 2 * np.log2(resolution) - 2
    torch.nn.init.zeros_(generator.synthesis.to_rgb[-1].weight)
    w_plus = torch.randn(2, generator.num_ws, 8)
    with torch.no_grad():
        images, half = generator.synthesis(w_plus), generator.synthesis(w_plus, resolution // 2)
    assert images.shape == (2, 3, resolution, resolution)
    torch.testing.assert_close(images, upsample(half))


def test_a_code_is_the_same_image_alone_in_a_batch_and_in_another_network() -> None:
    generator = _generator(16)
    z = torch.randn(5, 8)
    with torch.no_grad():
        together = generator(z)
        for i in range(5):
            alone = generator(z[i : i + 1])[0]
            torch.testing.assert_close(alone, together[i], atol=1e-4, rtol=1e-4)
        again = _generator(16)
        assert torch.equal(again(z), together)
        torch.nn.init.zeros_(again.synthesis.layers[-1].noise_strength)
        assert not torch.allclose(again(z), together)  # the noise is seen


def test_each_code_drives_its_layer() -> None:
    generator = _generator(16)
    w_plus = torch.randn(1, 6, 8)
    with torch.no_grad():
        base = generator.synthesis(w_plus)
        for i in range(6):
            changed = w_plus.clone()
            changed[:, i] += 1
            assert not torch.allclose(generator.synthesis(changed), base)
            small = generator.synthesis(changed, 8), generator.synthesis(w_plus, 8)
            assert torch.equal(*small) == (i >= 4)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="architecture must be one of"):
        Generator(16, 8, 8, 2, 64, 8, architecture="biggan")  # type: ignore[arg-type]


def test_killed_and_resumed_equals_unkilled(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)

    def trainer() -> GanTrainer:
        generator = _generator(16)  # seeds the discriminator too
        discriminator = Discriminator(resolution=16, channel_base=64, channel_max=8)
        return GanTrainer(pixels, generator, discriminator, None, SETTINGS, seed=3, device="cpu")

    def look(generator: Generator, side: int) -> Evaluation:
        return Evaluation(frechet=1.0, diversity=1.0)

    def stop(done: int, total: int, note: str) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    whole, killed, resumed = trainer(), trainer(), trainer()
    before = {k: v.clone() for k, v in whole.generator.named_parameters()}
    whole.run(tmp_path / "whole", "run", look, lambda *_: None, lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        killed.run(tmp_path / "killed", "run", look, stop, lambda _: None)
    resumed.run(tmp_path / "killed", "run", look, lambda *_: None, lambda _: None)
    for name in ("generator", "generator_ema", "discriminator"):
        states = getattr(whole, name).state_dict(), getattr(resumed, name).state_dict()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert all(not torch.equal(v, before[k]) for k, v in whole.generator.named_parameters())


def test_exports_to_onnx_with_any_batch(tmp_path: Path) -> None:
    import onnxruntime

    generator = _generator(16).eval()
    path = tmp_path / "synthesis.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older exporter
        torch.onnx.export(
            generator,
            (torch.randn(2, 8),),
            str(path),
            input_names=["z"],
            output_names=["images"],
            dynamic_axes={"z": {0: "num_images"}, "images": {0: "num_images"}},
            dynamo=False,
        )
    z = torch.randn(5, 8)
    (images,) = onnxruntime.InferenceSession(path).run(None, {"z": z.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(images, generator(z).numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("profile", "generator_millions", "discriminator_millions"),
    [("nfe64", 13.75, 8.9), ("ben64", 10.3, 8.9)],
)
def test_the_named_configurations_have_their_sizes(
    profile: str, generator_millions: float, discriminator_millions: float
) -> None:
    read = YAML(typ="safe").load
    values = {
        **read(ROOT / "params.yaml")["train_gan"],
        **read(ROOT / f"profiles/{profile}.yaml")["train_gan"],
    }
    networks = build_networks(Params.model_validate(values), 64)
    counts = [sum(p.numel() for p in network.parameters()) / 1e6 for network in networks]
    assert counts == pytest.approx([generator_millions, discriminator_millions], rel=0.01)
