import pytest
import torch

from nfe.tagging.network import TaggerNetwork


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TaggerNetwork(32, 4, 5).eval()


def test_shapes(network):
    images = torch.randn(3, 3, 32, 32)
    assert network(images).shape == (3, 5)
    assert network.embedding(images).shape == (3, network.num_features) == (3, 16)
    assert [m.shape[1:] for m in network.feature_maps(images)] == [
        (4, 16, 16),
        (8, 8, 8),
        (16, 4, 4),
    ]


@pytest.mark.parametrize("resolution", [16, 64, 128])
def test_last_map_is_4_by_4(resolution):
    maps = (
        TaggerNetwork(resolution, 2, 1)
        .eval()
        .feature_maps(torch.zeros(1, 3, resolution, resolution))
    )
    assert maps[-1].shape[2:] == (4, 4)
    assert maps[-1].shape[1] <= 16


@pytest.mark.parametrize("side", [16, 48, 64])
def test_other_sizes_are_resized_and_have_gradients(network, side):
    images = torch.randn(2, 3, side, side, requires_grad=True)
    sum(m.square().mean() for m in network.feature_maps(images)).backward()
    assert images.grad.abs().sum() > 0


def test_image_is_independent_of_its_batch(network):
    images = torch.randn(8, 3, 32, 32)
    assert torch.allclose(network(images)[3:4], network(images[3:4]), atol=1e-5)


@pytest.mark.parametrize("resolution", [8, 48])
def test_resolution_is_a_power_of_two(resolution):
    with pytest.raises(ValueError, match="power of 2"):
        TaggerNetwork(resolution, 4, 5)


def test_folded_norms_give_the_same_answers():
    torch.manual_seed(0)
    network = TaggerNetwork(32, 4, 5)
    for _ in range(3):  # norms with means and deviations of their own
        network(torch.randn(16, 3, 32, 32) * 2 + 1)
    network.eval()
    images = torch.randn(4, 3, 32, 32)
    before = [network(images), *network.feature_maps(images)]
    network.fold_norms()
    assert not any(
        "running_mean" in name for name in network.state_dict() if "normalise" not in name
    )
    torch.testing.assert_close([network(images), *network.feature_maps(images)], before)
