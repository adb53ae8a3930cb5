import torch

from nfe.inversion.losses import code_distance, perceptual_distance, pixel_distance


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
