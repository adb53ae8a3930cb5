"""Hyperplanes that separate the values of an attribute in latent space."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nfe.errors import ModelFileError, TagsError
from nfe.files import (
    atomic_folder,
    check_manifest,
    read_json,
    read_npz,
    write_json,
    write_manifest,
    write_npz,
)

__all__ = [
    "Boundary",
    "boundary_correlations",
    "condition",
    "load_boundaries",
    "measure_distances",
    "save_boundaries",
]

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Boundary:
    """The hyperplane of one attribute value against the other values.

    Attributes:
        attribute, value: As in `hair_color=blue`.
        space: Where the codes live, "w" or "z".
        normal: Unit normal, [D]. It tells on which side a code lies.
        intercept: `codes @ normal + intercept` is the signed distance; positive has the value.
        direction: Unit vector to move codes along, [D]: covariance @ normal. Of all shifts that
            change the distance by as much, this one leaves the distribution of codes least.
        sigma: Standard deviation of the distance over all codes.
        centres: Value of the attribute -> median distance of the confident codes with it: of
            this value a positive distance, of the others mostly negative ones.
        statistics: Counts, accuracies and their intervals.
    """

    attribute: str
    value: str
    space: str
    normal: np.ndarray
    intercept: float
    direction: np.ndarray
    sigma: float
    centres: Mapping[str, float]
    statistics: Mapping[str, float]

    @property
    def name(self) -> str:
        """The boundary as a user says it: `hair_color=blue`."""
        return f"{self.attribute}={self.value}"

    @property
    def pull(self) -> np.ndarray:
        """Covariance @ normal, [D]: the direction at the length that gives `sigma` squared."""
        return self.direction * (self.sigma**2 / (self.direction @ self.normal))


def measure_distances(codes: np.ndarray, boundaries: Sequence[Boundary]) -> np.ndarray:
    """Signed distance of each code ([N, D]) from each of B boundaries, [N, B]."""
    normals = np.stack([boundary.normal for boundary in boundaries])
    intercepts = np.array([boundary.intercept for boundary in boundaries])
    return codes @ normals.T + intercepts


def condition(direction: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Make a direction orthogonal to the span of the normals of the boundaries to keep.

    Args:
        direction: [D].
        normals: [K, D], any number, of any rank.

    Returns:
        Unit vector, [D]: moving along it changes no distance to a kept boundary.

    Raises:
        TagsError: If the direction lies in the span, so that nothing is left.

    Source: Shen et al. 2020 (InterFaceGAN), section 3.2, for any number of normals.
    """
    _, singular_values, axes = np.linalg.svd(np.reshape(normals, (-1, len(direction))))
    rank = int((singular_values > 1e-9 * singular_values.max(initial=0)).sum())
    span = axes[:rank]
    rest = direction - span.T @ (span @ direction)
    length = np.linalg.norm(rest)
    if length < 1e-6 * np.linalg.norm(direction):
        raise TagsError("direction must leave the span of the kept boundaries; keep fewer of them")
    return rest / length


def boundary_correlations(boundaries: Sequence[Boundary]) -> np.ndarray:
    """Return how much the distances from each two boundaries vary together, over all codes.

    For whitened codes the correlation of two distances is the cosine of the two normals.

    Args:
        boundaries: N boundaries.

    Returns:
        In [-1, 1], [N, N]; 1 on the diagonal.
    """
    normals = np.stack([b.normal for b in boundaries])
    pulls = np.stack([b.pull for b in boundaries])
    sigmas = np.array([b.sigma for b in boundaries])
    return normals @ pulls.T / np.outer(sigmas, sigmas)


def save_boundaries(folder: Path, boundaries: Sequence[Boundary]) -> None:
    """Write the boundaries as a model folder: arrays as npz, the rest as JSON, a manifest."""
    described = []
    for boundary in boundaries:
        row = asdict(boundary)
        del row["normal"], row["direction"]
        described.append(row)
    with atomic_folder(folder) as partial:
        arrays = {
            "normals": np.stack([b.normal for b in boundaries]),
            "directions": np.stack([b.direction for b in boundaries]),
        }
        write_npz(partial / "boundaries.npz", arrays)
        write_json(partial / "boundaries.json", {"format": FORMAT, "boundaries": described})
        write_manifest(partial)


def load_boundaries(folder: Path) -> list[Boundary]:
    """Read the boundaries of a model folder.

    Raises:
        ModelFileError: If a file is missing, damaged, or of another format.
    """
    check_manifest(folder)
    arrays = read_npz(Path(folder) / "boundaries.npz")
    description = read_json(Path(folder) / "boundaries.json")
    try:
        if description["format"] != FORMAT:
            raise ValueError(f"format {description['format']}")
        return [
            Boundary(normal=normal, direction=direction, **row)
            for row, normal, direction in zip(
                description["boundaries"], arrays["normals"], arrays["directions"], strict=True
            )
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{folder} must hold boundaries of format {FORMAT}, got: {error}; run fit_boundaries"
        ) from error
