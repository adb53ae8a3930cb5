import pytest
import torch

from nfe.gan.networks import Generator
from nfe.inversion.encoders import Encoder
from nfe.metrics.editing_consistency import editing_consistency, main_axis


@pytest.fixture
def networks() -> tuple[Generator, Encoder]:
    torch.manual_seed(0)
    generator = Generator(
        resolution=16,
        z_dim=16,
        w_dim=16,
        num_mapping_layers=2,
        channel_base=128,
        channel_max=16,
        architecture="stylegan2",
    )
    encoder = Encoder(
        resolution=16, channel_base=128, channel_max=16, num_ws=6, w_dim=16, num_directions=1
    )
    return generator.requires_grad_(False).eval(), encoder.eval()


def test_main_axis_of_a_stretched_gaussian() -> None:
    w = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0)) + 7
    w[:, 2] = 7 + 5 * (w[:, 2] - 7)
    torch.testing.assert_close(main_axis(w), torch.tensor([0.0, 0, 5, 0]), rtol=0.02, atol=0.1)


def test_an_encoder_that_sees_nothing_misses_the_whole_edit(
    networks: tuple[Generator, Encoder],
) -> None:
    generator, encoder = networks  # untrained, it answers the mean code
    encoder.w_scale.fill_(2.0)
    images = torch.rand(5, 3, 16, 16) * 2 - 1
    shift = torch.full((16,), 3.0)
    distances = editing_consistency(images, generator, encoder, shift, batch_size=2)
    torch.testing.assert_close(distances, torch.full((5,), 1.5))


def test_an_edit_that_is_found_costs_nothing(networks: tuple[Generator, Encoder]) -> None:
    generator, encoder = networks

    class Oracle(Encoder):
        """Answers the mean code first and the edited code for the edited image."""

        calls = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(images) + (self.calls - 1) * shift

    shift = torch.randn(16)
    oracle = Oracle(**encoder.config).eval()
    images = torch.zeros(3, 3, 16, 16)
    distances = editing_consistency(images, generator, oracle, shift, batch_size=3)
    torch.testing.assert_close(distances, torch.zeros(3), atol=1e-6, rtol=0)
