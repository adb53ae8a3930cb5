import math

import numpy as np
import pytest
import torch

from nfe.metrics.reconstruction import mse, psnr, ssim


def test_mse_and_psnr_of_a_constant_shift() -> None:
    images = torch.zeros(2, 3, 16, 16)
    others = torch.stack([torch.full((3, 16, 16), 0.2), torch.full((3, 16, 16), 2.0)])
    torch.testing.assert_close(mse(images, others), torch.tensor([0.04, 4.0]))
    torch.testing.assert_close(psnr(images, others), torch.tensor([20.0, 0.0]), atol=1e-5, rtol=0)
    assert math.isinf(psnr(images, images)[0])


def test_ssim_of_equal_and_of_constant_images() -> None:
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(ssim(images, images), torch.ones(3))
    one, other = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.25)
    c1 = (0.01 * 2) ** 2
    expected = (2 * 0.5 * 0.25 + c1) / (0.5**2 + 0.25**2 + c1)
    torch.testing.assert_close(ssim(one, other), torch.tensor([expected]))


def test_ssim_against_a_loop_over_windows() -> None:
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, (2, 3, 13, 14))
    y = 0.7 * x + 0.3 * y
    place = np.arange(11) - 5
    kernel = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    c1, c2 = 0.02**2, 0.06**2
    values = []
    for channel in range(3):
        for top in range(3):
            for left in range(4):
                a = x[channel, top : top + 11, left : left + 11]
                b = y[channel, top : top + 11, left : left + 11]
                mean_a, mean_b = (kernel * a).sum(), (kernel * b).sum()
                var_a = (kernel * (a - mean_a) ** 2).sum()
                var_b = (kernel * (b - mean_b) ** 2).sum()
                cov = (kernel * (a - mean_a) * (b - mean_b)).sum()
                values.append(
                    (2 * mean_a * mean_b + c1)
                    * (2 * cov + c2)
                    / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
                )
    ours = ssim(torch.from_numpy(x)[None], torch.from_numpy(y)[None])
    assert float(ours) == pytest.approx(np.mean(values), abs=1e-9)


def test_figures_are_per_image() -> None:
    images, others = torch.rand(2, 4, 3, 16, 16)
    for figure in (mse, psnr, ssim):
        alone = torch.cat([figure(images[i : i + 1], others[i : i + 1]) for i in range(4)])
        torch.testing.assert_close(figure(images, others), alone)


def test_images_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
