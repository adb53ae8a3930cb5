"""Measure the distance of the generator's images from the data, and show that it does not copy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nfe.errors import ModelFileError, SourceError
from tasks.stage import Progress, StageParams, pick_device, write_metrics

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FOLDER = Path("data/evaluate_gan")
DATASET = Path("data/curate/dataset.zip")
TAGGER = Path("data/train_tagger/tagger")
JUDGE = Path("data/train_tagger/judge")
NEIGHBOUR_ROWS = 8
BATCH_SIZE = 100


class Params(StageParams):
    """Section `evaluate_gan` of params.yaml."""

    num_images: Annotated[int, Field(ge=16, le=100_000)]
    num_subsets: Annotated[int, Field(ge=1, le=1000)]
    subset_size: Annotated[int, Field(ge=2, le=10_000)]
    num_neighbours: Annotated[int, Field(ge=1, le=100)]
    num_patches: Annotated[int, Field(ge=1, le=1024)]
    num_directions: Annotated[int, Field(ge=1, le=4096)]
    inception_weights: str | None
    seed: Annotated[int, Field(ge=0)]


def run(params: Params) -> None:
    """Write metrics.json, shares.csv and neighbours.png."""
    import numpy as np

    from nfe.images import read_pixels_zip

    device = pick_device()
    _, real = read_pixels_zip(DATASET)
    if len(real) < 2:
        raise SourceError(f"{DATASET} must hold two faces or more to compare, got {len(real)}")
    order = np.random.default_rng(params.seed).permutation(len(real))
    real = real[order[: params.num_images]]
    fake = _sample(params, len(real), device)
    metrics: dict[str, Any] = {
        "num_real": len(real),
        "num_fake": len(fake),
        "resolution": real.shape[1],
        "range": "pixels 0 to 255 on both sides, not resized",
    }
    progress = Progress("evaluate_gan")
    metrics |= _feature_figures(params, real, fake, device)
    progress(1, 2, "over features")
    metrics |= _pixel_figures(params, real, fake)
    if params.inception_weights is not None:
        metrics |= _inception_metrics(real, fake, params, device)
    progress(2, 2)
    write_metrics(FOLDER, metrics)


def _feature_figures(
    params: Params, real: "np.ndarray", fake: "np.ndarray", device: str
) -> dict[str, Any]:
    """Return the figures over the taggers' features; write the shares and the neighbours.

    The generator is taught by the tagger's features and never sees those of the judge.
    """
    from nfe.files import write_text

    figures: dict[str, Any] = {}
    for folder in (JUDGE, TAGGER):
        features = [tagger_features(pixels, folder, device) for pixels in (real, fake)]
        figures |= feature_metrics(features[0], features[1], params, suffix=f"_{folder.name}")
    real_features, fake_features = features  # the tagger's
    shares = value_shares(real_features, fake_features, device)
    write_text(FOLDER / "shares.csv", shares.round(4).to_csv(index=False))
    _write_neighbours(fake, real, fake_features, real_features)
    errors = shares["error"].abs().groupby(shares["attribute"], sort=False).max()
    largest = {str(name): round(float(error), 3) for name, error in errors.items()}
    return {**figures, "largest_share_error": largest}


def _pixel_figures(params: Params, real: "np.ndarray", fake: "np.ndarray") -> dict[str, Any]:
    import torch

    from nfe.images import images_from_pixels
    from nfe.metrics.distributions import sliced_wasserstein

    levels = sliced_wasserstein(
        images_from_pixels(real),
        images_from_pixels(fake),
        num_patches=params.num_patches,
        num_directions=params.num_directions,
        random=torch.Generator().manual_seed(params.seed),
    )
    return {
        "swd": {f"{side} px": round(value, 3) for side, value in levels.items()},
        "colour_steps": round(colour_steps(real, fake), 3),
        "saturated_share_real": round(saturated_share(real), 4),
        "saturated_share_fake": round(saturated_share(fake), 4),
    }


def tagger_features(pixels: "np.ndarray", tagger: Path, device: str) -> "np.ndarray":
    """Return the embedding of pixels [N, H, W, 3] by the network of a tagger folder: [N, F]."""
    import numpy as np
    import torch

    from nfe.images import images_from_pixels
    from nfe.tagging.storage import load_tagger_network

    network = load_tagger_network(tagger, device)
    parts = []
    with torch.no_grad():
        for start in range(0, len(pixels), BATCH_SIZE):
            images = images_from_pixels(pixels[start : start + BATCH_SIZE]).to(device)
            parts.append(network.embedding(images).cpu().numpy())
    return np.concatenate(parts)


def value_shares(
    real_features: "np.ndarray", fake_features: "np.ndarray", device: str
) -> "pd.DataFrame":
    """Compare how often the tagger sees each value in the data and in the samples.

    Returns:
        A row per value: attribute, value, data and samples (shares of the pictures), and error,
        the share of the samples over that of the data, minus 1; 0 where both are 0.
    """
    import numpy as np
    import pandas as pd
    import torch

    from nfe.tagging.groups import log_probabilities
    from nfe.tagging.storage import load_groups, load_tagger_network

    head, groups = load_tagger_network(TAGGER, device).head, load_groups(TAGGER)
    found = []
    with torch.no_grad():
        for features in (real_features, fake_features):
            scores = log_probabilities(head(torch.from_numpy(features).to(device)), groups)
            found.append([group_scores.argmax(dim=1).cpu().numpy() for group_scores in scores])
    rows = []
    for group, in_data, in_samples in zip(groups, *found, strict=True):
        shares = [
            np.bincount(x, minlength=len(group.values)) / len(x) for x in (in_data, in_samples)
        ]
        for value, data, samples in zip(group.values, *shares, strict=True):
            error = samples / data - 1 if data else float(samples > 0)
            rows.append((group.attribute, value, data, samples, error))
    return pd.DataFrame(rows, columns=["attribute", "value", "data", "samples", "error"])


def feature_metrics(
    real: "np.ndarray", fake: "np.ndarray", params: Params, suffix: str
) -> dict[str, float]:
    """Return the distances over one network's features, which `suffix` names."""
    import numpy as np

    from nfe.metrics.distributions import frechet_distance, kernel_distance, precision_recall

    random = np.random.default_rng(params.seed)
    precision, recall = precision_recall(real, fake, params.num_neighbours)
    kernel = kernel_distance(real, fake, params.num_subsets, params.subset_size, random)
    return {
        f"fd{suffix}": round(frechet_distance(real, fake), 4),
        f"kd{suffix}": round(kernel, 6),
        f"precision{suffix}": round(precision, 4),
        f"recall{suffix}": round(recall, 4),
    }


def colour_steps(real: "np.ndarray", fake: "np.ndarray") -> float:
    """Return how much farther colours go from pixel to pixel in samples than in faces: tints.

    See nfe.gan.colour_steps.ColourSteps; in levels of 255.
    """
    import torch

    from nfe.gan.colour_steps import ColourSteps
    from nfe.images import images_from_pixels

    term = ColourSteps(real, torch.device("cpu")).term(images_from_pixels(fake))
    return float(term) * 255 / 2


def saturated_share(pixels: "np.ndarray") -> float:
    """Return the share of channel values that are 0 or 255."""
    return float(((pixels == 0) | (pixels == 255)).mean())


def _sample(params: Params, count: int, device: str) -> "np.ndarray":
    import numpy as np

    from nfe.gan.storage import load_generator
    from nfe.images import pixels_from_images
    from nfe.sampling import sample_batches

    generator = load_generator(Path("data/train_gan/model"), device)
    seeds = range(params.seed, params.seed + count)
    batches = sample_batches(generator, seeds, BATCH_SIZE, truncation_psi=1.0, device=device)
    return np.concatenate([pixels_from_images(images) for _, _, images in batches])


def _inception_metrics(
    real: "np.ndarray", fake: "np.ndarray", params: Params, device: str
) -> dict[str, float]:
    """FID by pytorch-fid's network and weights, KID, precision and recall on its features."""
    from nfe.metrics.inception import inception_features, load_inception

    path = Path(str(params.inception_weights))
    if not path.is_file():
        raise ModelFileError(
            f"evaluate_gan.inception_weights must be a file, got {path}; "
            "download pytorch-fid's weights or set it to null"
        )
    network = load_inception(path, device)
    progress = Progress("evaluate_gan")
    features = [
        inception_features(network, pixels, BATCH_SIZE, device, progress) for pixels in (real, fake)
    ]
    named = feature_metrics(features[0], features[1], params, suffix="_inception")
    return {"fid": named.pop("fd_inception"), "kid": named.pop("kd_inception"), **named}


def _write_neighbours(
    fake: "np.ndarray", real: "np.ndarray", fake_features: "np.ndarray", real_features: "np.ndarray"
) -> None:
    """Write rows of one sample and its seven nearest faces of the data."""
    import numpy as np

    from nfe.files import write_bytes
    from nfe.images import encode_png, make_grid
    from nfe.metrics.distributions import nearest_neighbours

    shown = min(NEIGHBOUR_ROWS, len(fake))
    index = nearest_neighbours(fake_features[:shown], real_features, min(7, len(real)))
    rows = [np.concatenate([fake[i : i + 1], real[index[i]]]) for i in range(shown)]
    grid = make_grid(np.concatenate(rows), columns=1 + index.shape[1])
    write_bytes(FOLDER / "neighbours.png", encode_png(grid))
