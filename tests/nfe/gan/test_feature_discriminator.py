"""The discriminator over a frozen network's maps."""

import pytest
import torch

from nfe.gan.feature_discriminator import FeatureDiscriminator, FeatureView


@pytest.fixture
def maps() -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    sizes = ((5, 16, 0.1), (7, 8, 1.0), (9, 4, 30.0))
    return [torch.randn(6, c, s, s, generator=random) * scale for c, s, scale in sizes]


def test_one_logit_for_each_map_and_image(maps: list[torch.Tensor]) -> None:
    heads = FeatureDiscriminator.for_maps(maps)
    logits = heads(maps)
    assert logits.shape == (6, 3)
    alone = torch.cat([heads([m[i : i + 1] for m in maps]) for i in range(6)])
    torch.testing.assert_close(logits, alone)
    halves = [m[:2] for m in maps], [m[2:] for m in maps]
    torch.testing.assert_close(heads(*halves), alone)


def test_maps_are_brought_to_one_scale(maps: list[torch.Tensor]) -> None:
    heads = FeatureDiscriminator.for_maps(maps)
    for m, scale in zip(maps, heads.scales, strict=True):
        assert (m * scale).square().mean().item() == pytest.approx(1, rel=1e-5)
    larger = [10 * m for m in maps]
    torch.manual_seed(0)
    first = FeatureDiscriminator.for_maps(maps)
    torch.manual_seed(0)
    second = FeatureDiscriminator.for_maps(larger)
    torch.testing.assert_close(first(maps), second(larger))


def test_it_learns_to_tell_two_textures_apart() -> None:
    """Images of equal mean that differ in a frozen network's map only."""
    torch.manual_seed(0)

    def extract(images: torch.Tensor) -> list[torch.Tensor]:
        return [images[..., 1:] - images[..., :-1]]

    smooth = torch.randn(32, 3, 8, 1).expand(-1, -1, -1, 8)
    rough = torch.randn(32, 3, 8, 8)
    view = FeatureView(extract, FeatureDiscriminator.for_maps(extract(rough)), 1.0, None)
    optimiser = torch.optim.Adam(view.heads.parameters(), lr=0.01)
    for _ in range(60):
        loss = torch.nn.functional.softplus(
            view.heads(extract(smooth)) - view.heads(extract(rough))
        ).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert view.heads(extract(rough)).min() > view.heads(extract(smooth)).max()
