"""Compare the ways to invert pictures, on held-out faces, in one table and two pictures."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from tasks.refinement import ENCODER, GENERATOR, HOLDOUT, JUDGE, TAGGER, Refinement
from tasks.stage import StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nfe.gan.networks import Generator
    from nfe.inversion.losses import FeatureMaps

FOLDER = Path("data/evaluate_encoder")
STAGE = "evaluate_encoder"
NUM_ROWS = 12


class Params(StageParams):
    """Section `evaluate_encoder` of params.yaml.

    Attributes:
        num_images: Held-out faces to invert.
        in_domain: Refinement from the encoder's codes.
        image2stylegan: Optimisation from the mean code; its domain weight is 0.
        batch_size: Images at a time.
        num_sampled: Sampled codes to compare the inverted ones with.
        edit_distance: How far the edit goes that the encoder is to find again, in deviations
            of the sampled codes along their main axis.
        num_folds: Folds of the classifier that tells inverted from sampled codes.
        seed: Draws the sampled codes and the folds.
    """

    num_images: Annotated[int, Field(ge=4, le=100_000)]
    in_domain: Refinement
    image2stylegan: Refinement
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    num_sampled: Annotated[int, Field(ge=100, le=1_000_000)]
    edit_distance: Annotated[float, Field(gt=0, le=10, strict=False)]
    num_folds: Annotated[int, Field(ge=2, le=20)]
    seed: int


@dataclass(frozen=True)
class Inversion:
    """What one method made of the pictures: codes [N, num_ws, w_dim], and its time."""

    method: str
    w_plus: "Tensor"
    seconds: float


def run(params: Params) -> None:
    """Write table.csv, methods.png, overlap.png and the figures of each method."""
    import pandas as pd
    import torch

    from nfe.files import write_bytes, write_text
    from nfe.gan.storage import load_generator
    from nfe.images import encode_png, images_from_pixels, pixels_from_images, read_pixels_zip
    from nfe.tagging.storage import load_tagger_network
    from tasks.refinement import synthesise

    device = pick_device()
    generator = load_generator(GENERATOR, device)
    judge = load_tagger_network(JUDGE, device)
    pixels = read_pixels_zip(HOLDOUT)[1][: params.num_images]
    images = images_from_pixels(pixels).to(device)
    z = torch.randn(
        params.num_sampled, generator.z_dim, generator=torch.Generator().manual_seed(params.seed)
    )
    with torch.no_grad():
        w = generator.mapping(z.to(device))
    sampled = w.cpu().numpy()

    inversions = invert_by_all(images, generator, params)
    rows, columns = [], [pixels]
    for inversion in inversions:
        reconstructions = synthesise(generator, inversion.w_plus, params.batch_size)
        columns.append(pixels_from_images(reconstructions))
        rows.append(
            {
                "method": inversion.method,
                **figures(images, reconstructions, judge.feature_maps),
                "overlap_auc": overlap(inversion.w_plus, sampled, params),
                "seconds_per_image": inversion.seconds / len(images),
            }
        )
    table = pd.DataFrame(rows).round(4)
    write_text(FOLDER / "table.csv", table.to_csv(index=False))
    write_bytes(FOLDER / "methods.png", encode_png(methods_sheet(columns, inversions)))
    draw_overlap(FOLDER / "overlap.png", inversions, sampled)
    print(table.to_string(index=False), flush=True)
    by_method = {row["method"]: row for row in table.to_dict("records")}
    write_metrics(
        FOLDER,
        {
            "num_images": len(images),
            "editing_consistency": consistency(images, generator, w, params),
            **_without_names(by_method),
        },
    )


def invert_by_all(images: "Tensor", generator: "Generator", params: Params) -> list[Inversion]:
    """Invert the images by the encoder, the encoder and refinement, and from the mean code."""
    from nfe.inversion.storage import load_encoder
    from nfe.tagging.storage import load_tagger_network
    from tasks.refinement import encode, refine_codes

    device = str(images.device)
    encoder = load_encoder(ENCODER, device)
    feature_maps = load_tagger_network(TAGGER, device).feature_maps
    encode(encoder, images[:4], 4)  # what the first call alone costs is not the method's

    started = time.monotonic()
    codes = encode(encoder, images, params.batch_size)
    encoded = time.monotonic()
    refined = refine_codes(
        images, codes, generator, encoder, feature_maps, params.in_domain, params.batch_size, STAGE
    )
    in_domain = time.monotonic()
    mean = generator.broadcast(generator.w_avg.expand(len(images), -1))
    free = refine_codes(
        images,
        mean,
        generator,
        encoder,
        feature_maps,
        params.image2stylegan,
        params.batch_size,
        STAGE,
    )
    return [
        Inversion("encoder", codes, encoded - started),
        Inversion("in_domain", refined, in_domain - started),
        Inversion("image2stylegan", free, time.monotonic() - in_domain),
    ]


def figures(
    images: "Tensor", reconstructions: "Tensor", judge_maps: "FeatureMaps"
) -> dict[str, float]:
    """Return the mean figures of reconstructions; features are of a network that no loss used."""
    import torch

    from nfe.inversion.losses import perceptual_distance
    from nfe.metrics.reconstruction import mse, psnr, ssim

    with torch.no_grad():
        perceptual = perceptual_distance(judge_maps(images), judge_maps(reconstructions))
    return {
        "mse": float(mse(images, reconstructions).mean()),
        "psnr": float(psnr(images, reconstructions).mean()),
        "ssim": float(ssim(images, reconstructions).mean()),
        "perceptual": float(perceptual.mean()),
    }


def consistency(
    images: "Tensor", generator: "Generator", sampled: "Tensor", params: Params
) -> float:
    """Return how far the encoder's codes lie from their own, edited and edited back, on average."""
    from nfe.inversion.storage import load_encoder
    from nfe.metrics.editing_consistency import editing_consistency, main_axis

    encoder = load_encoder(ENCODER, str(images.device))
    shift = params.edit_distance * main_axis(sampled)
    distances = editing_consistency(images, generator, encoder, shift, params.batch_size)
    return round(float(distances.mean()), 4)


def overlap(w_plus: "Tensor", sampled: "np.ndarray", params: Params) -> float:
    """Return how well a classifier tells each layer's inverted code from sampled codes."""
    import numpy as np

    from nfe.metrics.overlap import overlap_auc

    count, num_ws, w_dim = w_plus.shape
    return overlap_auc(
        w_plus.cpu().numpy().reshape(-1, w_dim),
        sampled,
        groups=np.repeat(np.arange(count), num_ws),
        other_groups=np.arange(len(sampled)),
        num_folds=params.num_folds,
        random=np.random.default_rng(params.seed),
    )


def methods_sheet(columns: "list[np.ndarray]", inversions: list[Inversion]) -> "np.ndarray":
    """Return rows of pictures, columns of methods, two blocks side by side, with headings."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from nfe.images import resize_pixels
    from tasks.refinement import picture_columns

    names = ["picture", *(inversion.method for inversion in inversions)]
    half = (min(len(columns[0]), NUM_ROWS) + 1) // 2
    side = max(columns[0].shape[1], 128)
    columns = [np.stack([resize_pixels(p, side) for p in column[:NUM_ROWS]]) for column in columns]
    blocks = [picture_columns([c[s : s + half] for c in columns], half) for s in (0, half)]
    height, width = blocks[0].shape[:2]
    sheet = Image.new("RGB", (2 * width + 24, height + 28), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for number, block in enumerate(blocks):
        left = number * (width + 24)
        sheet.paste(Image.fromarray(block), (left, 28))
        for index, name in enumerate(names):
            place = (left + index * (side + 2) + side / 2, 14)
            draw.text(place, name.replace("_", " "), "black", font, anchor="mm")
    return np.asarray(sheet)


def draw_overlap(path: Path, inversions: list[Inversion], sampled: "np.ndarray") -> None:
    """Draw inverted over sampled codes, a panel per method, in the two main axes of the sampled.

    Each picture has as many points as codes: one per layer.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from sklearn.decomposition import PCA

    from nfe.files import atomic_path

    pca = PCA(2, random_state=0).fit(sampled)
    flat = pca.transform(sampled)
    figure, axes = plt.subplots(
        1, len(inversions), figsize=(4 * len(inversions), 4), sharex=True, sharey=True
    )
    for axis, inversion in zip(axes, inversions, strict=True):
        codes = pca.transform(inversion.w_plus.cpu().numpy().reshape(-1, sampled.shape[1]))
        axis.scatter(*flat.T, s=4, color="#b8bcc4", label="sampled", linewidths=0)
        axis.scatter(*codes.T, s=6, color="#d1495b", alpha=0.6, label="inverted", linewidths=0)
        axis.set_title(inversion.method.replace("_", " "))
        axis.set_xlabel("first axis of sampled w")
    axes[0].set_ylabel("second axis of sampled w")
    axes[0].legend(loc="upper left", frameon=False)
    figure.tight_layout()
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _without_names(by_method: dict[Any, dict[Any, Any]]) -> dict[str, dict[str, float]]:
    return {
        str(method): {str(k): float(v) for k, v in row.items() if k != "method"}
        for method, row in by_method.items()
    }
