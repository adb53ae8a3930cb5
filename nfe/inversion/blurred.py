"""Neural Face Editor's own inversion: z, by gradient descent on blurred pictures."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from nfe.gan.networks import Generator
from nfe.inversion.descent import LossOf, minimise

__all__ = ["blur", "nearest_codes", "optimise_z"]


def blur(images: Tensor, kernel: int, sigma: float) -> Tensor:
    """Blur with a Gaussian window; at the borders pictures are mirrored.

    Args:
        images: [N, 3, H, W], of more than kernel / 2 pixels.
        kernel: Side of the window, odd.
        sigma: Standard deviation, in pixels. Far above the side, the window is a plain mean.

    Returns:
        [N, 3, H, W].

    Raises:
        ValueError: If `kernel` is even.
    """
    if kernel % 2 == 0:
        raise ValueError(f"kernel must be odd, got {kernel}")
    half = kernel // 2
    places = torch.arange(kernel, dtype=images.dtype, device=images.device) - half
    window = torch.exp(-places.square() / (2 * sigma**2))
    window = window / window.sum()
    x = F.pad(images, (half, half, half, half), mode="reflect").flatten(0, 1)[:, None]
    x = F.conv2d(F.conv2d(x, window.view(1, 1, 1, -1)), window.view(1, 1, -1, 1))
    return x[:, 0].view_as(images)


def nearest_codes(w_plus: Tensor, w: Tensor) -> Tensor:
    """Return which of the codes w [M, w_dim] is nearest to the mean of each w_plus's layers, [N].

    Args:
        w_plus: [N, num_ws, w_dim].
        w: [M, w_dim].
    """
    return torch.cdist(w_plus.mean(dim=1), w).argmin(dim=1)


def optimise_z(
    images: Tensor,
    z: Tensor,
    generator: Generator,
    num_steps: int,
    learning_rate: float,
    blur_kernel: int,
    blur_sigma: float,
    prior_weight: float,
    min_progress: float,
    on_progress: Callable[[int, int, str], None],
) -> Tensor:
    """Minimise, from given z, |blur(G(z)) - blur(x)|^2 + prior_weight |z|^2, sums of squares.

    Args:
        images: The targets x, [N, 3, H, W], in [-1, 1].
        z: Codes to start from, [N, z_dim].
        generator: Frozen generator.
        num_steps: Steps of Adam.
        learning_rate: At the first step, in units of z.
        blur_kernel: Side of the window in pixels, odd.
        blur_sigma: Its standard deviation in pixels.
        prior_weight: Of the squared length of z. Where the mapping projects z onto a sphere, it
            changes how fast z turns and not which picture is best.
        min_progress: Share by which its loss must fall in five steps for an image to go on;
            0 for always.
        on_progress: Called with steps done, in all, and a note.

    Returns:
        z, [N, z_dim].

    Raises:
        TrainingError: If a loss is NaN or infinite.
        ValueError: If `blur_kernel` is even.

    Source: Neural Face Editor, with a window of 3 and a sigma of 11, and 20 |z|^2. We differ in
        two ways: z is not clipped to [0, 1], where half of its directions cannot go, and the
        learning rate falls to 0.
    """
    targets = blur(images, blur_kernel, blur_sigma)

    def loss_for(rows: Tensor) -> LossOf:
        target = targets[rows]

        def loss_of(values: Sequence[Tensor]) -> Tensor:
            result = blur(generator(values[0]), blur_kernel, blur_sigma)
            distance = (result - target).square().sum(dim=(1, 2, 3))
            return distance + prior_weight * values[0].square().sum(dim=1)

        return loss_of

    (found,) = minimise([z], loss_for, num_steps, learning_rate, min_progress, on_progress)
    return found
