"""How close a reconstruction is to its picture, one figure per image."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["mse", "psnr", "ssim"]

PEAK = 2.0  # images reach from -1 to 1
WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def mse(images: Tensor, others: Tensor) -> Tensor:
    """Mean squared difference per image, of values in [-1, 1].

    Args:
        images: [N, 3, H, W].
        others: [N, 3, H, W].

    Returns:
        [N]. Values in [0, 1] would give a quarter of it.
    """
    return (images - others).square().mean(dim=(1, 2, 3))


def psnr(images: Tensor, others: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per image, 10 log10(4 / mse), in dB; infinite for equal images.

    Args:
        images: [N, 3, H, W], in [-1, 1].
        others: [N, 3, H, W], in [-1, 1].

    Returns:
        [N].
    """
    return 10 * torch.log10(PEAK**2 / mse(images, others))


def ssim(images: Tensor, others: Tensor) -> Tensor:
    """Structural similarity per image: Gaussian window of 11 pixels and sigma 1.5, mean of RGB.

    Args:
        images: [N, 3, H, W], in [-1, 1], of 11 pixels or more.
        others: [N, 3, H, W], in [-1, 1].

    Returns:
        [N], in [-1, 1]; 1 for equal images.

    Raises:
        ValueError: If the images are smaller than the window.

    Source: Wang et al. 2004, equation 13; the colours as three grey pictures, borders left out.
    """
    if min(images.shape[-2:]) < WINDOW:
        raise ValueError(f"images must be at least {WINDOW} pixels wide, got {images.shape[-1]}")
    x, y = images.flatten(0, 1)[:, None], others.flatten(0, 1)[:, None]  # [N * 3, 1, H, W]
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (luminance * structure).mean(dim=(1, 2, 3)).view(len(images), -1).mean(dim=1)


def _blur(x: Tensor) -> Tensor:
    places = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    kernel = torch.exp(-(places**2) / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    return F.conv2d(F.conv2d(x, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
