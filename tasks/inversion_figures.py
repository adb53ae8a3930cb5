"""The figures of evaluate_encoder: how close, how editable, how large and how slow a method is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.edits import Edit
from tasks.inversion_methods import Inversion, Material

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nfe.edit_studio import Studio
    from nfe.tagging.network import TaggerNetwork

__all__ = ["Bench", "measure"]


@dataclass(frozen=True)
class Bench:
    """What every method is measured with.

    Attributes:
        material: What methods work with.
        judge: The network whose features no loss used.
        studio: How edits are made and seen.
        edits: What is done to the inverted pictures; all are possible.
        before: The judge's answers about the pictures themselves.
        batch_size: Images at a time.
        edit_distance: How far the edit goes that an encoder is to find again, in deviations of w.
        num_folds: Folds of the classifier that tells inverted from sampled codes.
        seed: Deals the folds.
    """

    material: Material
    judge: "TaggerNetwork"
    studio: "Studio"
    edits: list[Edit]
    before: "dict[str, np.ndarray]"
    batch_size: int
    edit_distance: float
    num_folds: int
    seed: int


def measure(
    inversion: Inversion, bench: Bench
) -> "tuple[Tensor, np.ndarray, dict[str, float | None]]":
    """Return the reconstructions, the pixels after the first edit, and all figures.

    An edit succeeds if the judge sees the value where the picture itself did not show it, and
    preserves what the judge answers as of the picture itself: so a bad reconstruction counts.
    """
    from nfe.metrics.edit_quality import mean_over_edits

    images = bench.material.images
    reconstructions = make_images(inversion, inversion.w_plus, None, bench.batch_size)
    edited = [edit_pixels(inversion, bench, edit) for edit in bench.edits]
    success = mean_over_edits(
        [
            bench.studio.measure(bench.before, bench.studio.look(pixels), edit.changes, edit.keep)
            for edit, pixels in zip(bench.edits, edited, strict=True)
        ]
    )
    row = {
        **figures(images, reconstructions, bench.judge),
        "editing_consistency": consistency(inversion, bench),
        **{f"edit_{name}": value for name, value in success.items()},
        "overlap_auc": overlap(inversion.w_plus, bench),
        "seconds_per_image": inversion.seconds / len(images),
        "kB_per_image": inversion.num_bytes / 1000,
    }
    return reconstructions, edited[0], row


def make_images(
    inversion: Inversion, w_plus: "Tensor", places: "Tensor | None", batch_size: int
) -> "Tensor":
    """Return the pictures of codes as a file would hold them, in [-1, 1].

    Args:
        inversion: Whose pictures they are.
        w_plus: Its codes or edited ones, [M, num_ws, w_dim].
        places: Which pictures they are of, [M]; None for all.
        batch_size: Images at a time.
    """
    import torch

    if places is None:
        places = torch.arange(len(w_plus))
    parts = zip(w_plus.split(batch_size), places.split(batch_size), strict=True)
    with torch.no_grad():
        return torch.cat([inversion.synthesise(*part) for part in parts]).clamp(-1, 1)


def edit_pixels(inversion: Inversion, bench: Bench, edit: Edit) -> "np.ndarray":
    """Return the pixels of the inverted pictures after an edit."""
    import numpy as np
    import torch

    from nfe.images import pixels_from_images

    def synthesise(w_plus: "np.ndarray", places: "np.ndarray") -> "np.ndarray":
        codes = torch.from_numpy(w_plus).to(inversion.w_plus)
        chosen = torch.from_numpy(places).to(codes.device)
        return pixels_from_images(make_images(inversion, codes, chosen, bench.batch_size))

    codes = inversion.w_plus.cpu().numpy()
    edited = bench.studio.edit(codes, synthesise, edit.changes, edit.keep)
    return synthesise(edited, np.arange(len(edited)))


def figures(
    images: "Tensor", reconstructions: "Tensor", judge: "TaggerNetwork"
) -> dict[str, float]:
    """Return the mean figures of reconstructions; features are of a network that no loss used."""
    import torch

    from nfe.inversion.losses import perceptual_distance
    from nfe.metrics.distributions import frechet_distance
    from nfe.metrics.reconstruction import mse, psnr, ssim

    with torch.no_grad():
        perceptual = perceptual_distance(
            judge.feature_maps(images), judge.feature_maps(reconstructions)
        )
        features = [judge.embedding(x).cpu().numpy() for x in (images, reconstructions)]
    return {
        "mse": float(mse(images, reconstructions).mean()),
        "psnr": float(psnr(images, reconstructions).mean()),
        "ssim": float(ssim(images, reconstructions).mean()),
        "perceptual": float(perceptual.mean()),
        "fd_judge": frechet_distance(*features),
    }


def consistency(inversion: Inversion, bench: Bench) -> float | None:
    """Return how far an encoder's codes lie from their own, edited and edited back, on average."""
    from nfe.metrics.editing_consistency import editing_consistency, main_axis

    if inversion.encoder is None:
        return None
    material = bench.material
    shift = bench.edit_distance * main_axis(material.w)
    distances = editing_consistency(
        material.images, material.generator, inversion.encoder, shift, bench.batch_size
    )
    return float(distances.mean())


def overlap(w_plus: "Tensor", bench: Bench) -> float:
    """Return how well a classifier tells each layer's inverted code from sampled codes."""
    import numpy as np

    from nfe.metrics.overlap import overlap_auc

    count, num_ws, w_dim = w_plus.shape
    return overlap_auc(
        w_plus.cpu().numpy().reshape(-1, w_dim),
        bench.material.w.cpu().numpy(),
        groups=np.repeat(np.arange(count), num_ws),
        other_groups=np.arange(len(bench.material.w)),
        num_folds=bench.num_folds,
        random=np.random.default_rng(bench.seed),
    )
