import torch

from nfe.inversion.losses import (
    code_distance,
    delta_length,
    embedding_distance,
    perceptual_distance,
    pixel_distance,
)

from .conftest import toy_embedding


def test_pixel_distance_of_a_constant_shift_is_its_square() -> None:
    images = torch.randn(3, 3, 8, 8)
    shift = torch.tensor([0.0, 0.5, 2.0])
    distance = pixel_distance(images, images + shift[:, None, None, None])
    torch.testing.assert_close(distance, shift**2)


def test_perceptual_distance_of_equal_orthogonal_and_opposite_features() -> None:
    base = torch.zeros(3, 2, 4, 4)
    base[:, 0] = 7.0
    other = torch.zeros(3, 2, 4, 4)
    other[0, 0], other[1, 1], other[2, 0] = 1.0, 3.0, -0.1
    expected = torch.tensor([0.0, 2.0, 4.0])
    torch.testing.assert_close(perceptual_distance([base], [other]), expected)
    # Two layers are averaged.
    torch.testing.assert_close(perceptual_distance([base, base], [other, base]), expected / 2)


def test_code_distance_counts_in_deviations() -> None:
    w_plus = torch.zeros(2, 3, 4)
    others = torch.ones(2, 3, 4)
    others[1] = 3.0
    scale = torch.full((4,), 2.0)
    torch.testing.assert_close(code_distance(w_plus, others, scale), torch.tensor([0.25, 2.25]))


def test_delta_length_of_known_codes() -> None:
    w_plus = torch.zeros(2, 3, 4)
    w_plus[0] = 7.0  # equal layers
    w_plus[1, 1, :2] = torch.tensor([3.0, 4.0])
    w_plus[1, 2, 3] = -2.0
    scale = torch.full((4,), 2.0)
    torch.testing.assert_close(delta_length(w_plus, scale), torch.tensor([0.0, 2.5 + 1.0]))


def test_delta_length_has_no_gradient_at_equal_layers() -> None:
    w_plus = torch.ones(2, 3, 4, requires_grad=True)
    delta_length(w_plus, torch.ones(4)).sum().backward()
    assert w_plus.grad is not None
    assert torch.equal(w_plus.grad, torch.zeros(2, 3, 4))


def test_embedding_distance_is_0_for_the_same_picture_and_does_not_know_lengths() -> None:
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    embeddings = toy_embedding(images)
    zeros = torch.zeros(3)
    torch.testing.assert_close(
        embedding_distance(embeddings, toy_embedding(images)), zeros, atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        embedding_distance(embeddings, 5 * embeddings), zeros, atol=1e-6, rtol=0
    )


def test_embedding_distance_of_orthogonal_and_opposite_vectors() -> None:
    one = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    other = torch.tensor([[0.0, 1.0], [-3.0, 0.0]])
    torch.testing.assert_close(embedding_distance(one, other), torch.tensor([1.0, 2.0]))
