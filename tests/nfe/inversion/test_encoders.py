import pytest
import torch

from nfe.gan.networks import Generator
from nfe.inversion.encoders import Encoder, add_deltas

from .conftest import make_encoder


def test_untrained_encoder_answers_the_mean_code(encoder: Encoder, generator: Generator) -> None:
    w = generator.mapping(torch.randn(500, 16))
    encoder.centre_on(w)
    w_plus = encoder(torch.randn(4, 3, 16, 16))
    assert w_plus.shape == (4, 6, 16)
    torch.testing.assert_close(w_plus, w.mean(dim=0).expand(4, 6, 16))


def test_scale_is_the_mean_deviation_of_the_codes(encoder: Encoder) -> None:
    w = torch.randn(20_000, 16, generator=torch.Generator().manual_seed(0)) * 3 + 1
    encoder.centre_on(w)
    torch.testing.assert_close(encoder.w_scale, torch.full((16,), 3.0), rtol=0.02, atol=0)


def test_output_is_in_units_of_the_scale(encoder: Encoder) -> None:
    torch.nn.init.normal_(encoder.output.weight)
    encoder.eval()
    images = torch.randn(2, 3, 16, 16)
    before = encoder(images)
    encoder.w_scale.fill_(2.0)
    encoder.w_avg.fill_(5.0)
    torch.testing.assert_close(encoder(images), 5 + 2 * before)


def test_an_image_does_not_depend_on_its_batch_in_evaluation_mode(encoder: Encoder) -> None:
    torch.nn.init.normal_(encoder.output.weight)
    encoder.eval()
    images = torch.randn(8, 3, 16, 16)
    alone = torch.cat([encoder(image[None]) for image in images])
    torch.testing.assert_close(encoder(images), alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("resolution", [8, 16, 64, 128])
def test_every_resolution_gives_codes(resolution: int) -> None:
    encoder = Encoder(
        resolution, channel_base=64, channel_max=16, num_ws=4, w_dim=8, num_directions=5
    )
    assert encoder(torch.zeros(2, 3, resolution, resolution)).shape == (2, 4, 8)


@pytest.mark.parametrize("resolution", [4, 48])
def test_other_resolutions_are_refused(resolution: int) -> None:
    with pytest.raises(ValueError, match="resolution must be a power of two"):
        Encoder(resolution, channel_base=64, channel_max=16, num_ws=4, w_dim=8, num_directions=5)


def test_deltas_that_are_on_are_added_to_the_first_layer() -> None:
    changes = torch.tensor([10.0, 1.0, 2.0, 3.0])[None, :, None]
    none, two, every = (add_deltas(changes, count)[0, :, 0].tolist() for count in (0, 2, 3))
    assert none == [10, 10, 10, 10]
    assert two == [10, 11, 12, 10]
    assert every == [10, 11, 12, 13]


def test_an_encoder_with_deltas_has_all_of_them_on_unless_told() -> None:
    plain, encoder = make_encoder(), make_encoder(deltas=True)
    torch.nn.init.normal_(plain.output.weight)
    encoder.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 16, 16)
    answers = plain.eval()(images)
    expected = answers[:, :1] + answers[:, 1:] - plain.w_avg
    w_plus = encoder.eval()(images)
    torch.testing.assert_close(w_plus[:, 1:], expected)
    encoder.num_released = 0
    assert torch.equal(encoder(images), answers[:, :1].expand(-1, 6, -1))


def test_only_an_encoder_with_deltas_says_so(encoder: Encoder) -> None:
    assert "deltas" not in encoder.config
    assert Encoder(**make_encoder(deltas=True).config).deltas


def test_standardised_codes_have_the_moments_of_sampled_ones() -> None:
    random = torch.Generator().manual_seed(0)
    scales = torch.linspace(0.5, 3, 16)
    encoder = make_encoder(standardised=True)
    encoder.centre_on(torch.randn(20_000, 16, generator=random) * scales + 1)
    codes = encoder(torch.randn(64, 3, 16, 16, generator=random)).flatten(0, 1)
    torch.testing.assert_close(codes.mean(dim=0), torch.ones(16), rtol=0, atol=0.05)
    torch.testing.assert_close(codes.std(dim=0), scales, rtol=0.03, atol=0)


def test_a_standardised_code_does_not_depend_on_its_batch_in_evaluation_mode() -> None:
    encoder = make_encoder(standardised=True)
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    encoder(images)
    encoder.eval()
    alone = torch.cat([encoder(image[None]) for image in images])
    torch.testing.assert_close(encoder(images), alone, rtol=1e-4, atol=1e-4)


def test_an_encoder_is_described_as_it_is() -> None:
    assert "standardised" not in make_encoder().config
    rebuilt = Encoder(**make_encoder(standardised=True).config)
    assert rebuilt.standardised
    assert len(rebuilt.search_directions) == len(make_encoder().search_directions)


def test_a_move_is_a_sum_of_directions(encoder: Encoder) -> None:
    directions = torch.randn(96, 6, 16, generator=torch.Generator().manual_seed(0))
    encoder.search_along(directions)
    moves = torch.zeros(1, 96)
    moves[0, 3], moves[0, 7] = 2.0, -1.0
    expected = 2 * directions[3] - directions[7]
    torch.testing.assert_close(encoder.move(moves)[0], expected, rtol=0, atol=5e-3)  # of float16


def test_a_standardised_encoder_begins_with_what_pictures_do_not_show() -> None:
    torch.manual_seed(0)
    encoder = Encoder(16, 128, 16, num_ws=6, w_dim=16, num_directions=30, standardised=True)
    axes = torch.linalg.qr(torch.randn(96, 30)).Q.T
    encoder.search_along(axes.view(30, 6, 16) * torch.linspace(0.1, 1, 30)[:, None, None])
    answers = encoder.output(torch.randn(5, encoder.output.in_features))
    assert answers.norm(dim=1).min() > 0.1
    torch.testing.assert_close(answers @ axes.T, torch.zeros(5, 30), rtol=0, atol=1e-4)
