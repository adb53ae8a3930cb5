"""Change what a latent code shows: shortest shifts that set some attributes and keep others."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from nfe.boundaries import Boundary, measure_distances
from nfe.errors import ParamsError

__all__ = [
    "Strength",
    "check_edit",
    "edit_codes",
    "edit_strip",
    "present_values",
    "shortest_shifts",
]

Strength = Literal["auto"] | float

SWEEPS = 500  # of the solver; it stops earlier once no multiplier changes
TOLERANCE = 1e-9


def edit_codes(
    w_plus: np.ndarray,
    boundaries: Sequence[Boundary],
    changes: Mapping[str, str],
    keep: Sequence[str],
    strength: Strength,
    layers: tuple[int, int] | None = None,
) -> np.ndarray:
    """Move codes until they have the values asked for, and no farther.

    Each code gets one shift, the same for all its layers, computed from the mean of the layers.
    After the shift each code lies where codes with the target value lie:
      * at least as far from the target's boundary as their median,
      * at most as near to the boundaries of the attribute's other values as their median, so
        that the present value goes as the target comes, but not farther than faces do,
      * as far as before from every boundary of a kept attribute,
    and among all such shifts it is the one that leaves the distribution of codes least.

    Args:
        w_plus: Latent codes, [N, num_ws, w_dim].
        boundaries: All of one space.
        changes: Attribute -> the value it shall have.
        keep: Attributes whose distances must not change.
        strength: "auto" for the medians; or the distance from the target's boundary to reach
            instead, in W units. A code that is there already does not move.
        layers: First layer and one past the last layer to move; None for all.

    Returns:
        Edited codes, [N, num_ws, w_dim], of the same dtype.

    Raises:
        ParamsError: If an attribute, value or layer range does not exist, or an attribute is to
            be both changed and kept, or what is kept leaves no way to change.
    """
    first, last = _check_layers(layers, w_plus.shape[1])
    check_edit(boundaries, changes, keep)
    means = w_plus[:, first:last].mean(axis=1, dtype=np.float64)
    targets = [b for b in boundaries if changes.get(b.attribute) == b.value]
    rivals = [b for b in boundaries if b.attribute in changes and b not in targets]
    kept = [b for b in boundaries if b.attribute in keep]

    wanted = [b.centres[b.value] if strength == "auto" else float(strength) for b in targets]
    least = np.array(wanted) - measure_distances(means, targets)
    most = np.empty((len(means), 0))
    if rivals:
        most = np.array([b.centres.get(changes[b.attribute], 0.0) for b in rivals])
        most = most - measure_distances(means, rivals)
    shifts = shortest_shifts(targets, least, rivals, most, kept)
    edited = w_plus.copy()
    edited[:, first:last] += shifts[:, None].astype(w_plus.dtype)
    return edited


def shortest_shifts(
    targets: Sequence[Boundary],
    least: np.ndarray,
    rivals: Sequence[Boundary],
    most: np.ndarray,
    kept: Sequence[Boundary],
) -> np.ndarray:
    """Shortest shifts that raise, limit and keep distances, in units of the codes' spread.

    Minimises shift^T C^-1 shift (C the covariance of the codes) subject to
    `shift @ normal >= least` for targets, `<= most` for rivals, `== 0` for kept boundaries.
    With P = C N, every solution is P a; the kept ones are eliminated by a pseudo-inverse (any
    rank), the inequalities solved by Hildreth's method: one multiplier after the other.

    Args:
        targets: T boundaries.
        least: Change of distance that each code needs at least, [N, T]; may be negative.
        rivals: R boundaries.
        most: Change of distance that each code may have at most, [N, R].
        kept: K boundaries.

    Returns:
        Shifts, [N, D].

    Raises:
        ParamsError: If a target's normal lies in the span of the kept ones.

    Source: Hildreth 1957; with one target and an identity covariance it is the conditional
        manipulation of Shen et al. 2020 (InterFaceGAN).
    """
    free = [*targets, *rivals]
    pulls = np.stack([b.pull for b in free], axis=1)  # C N, [D, T + R]
    gram = np.stack([b.normal for b in free]) @ pulls
    own = gram.diagonal().copy()
    if kept:
        kept_pulls = np.stack([b.pull for b in kept], axis=1)
        cross = np.stack([b.normal for b in kept]) @ pulls
        inner = np.stack([b.normal for b in kept]) @ kept_pulls
        removal = np.linalg.pinv((inner + inner.T) / 2, rcond=1e-9, hermitian=True) @ cross
        pulls = pulls - kept_pulls @ removal
        gram = gram - cross.T @ removal
    for boundary, left, before in zip(targets, gram.diagonal(), own, strict=False):
        if left < 1e-6 * before:
            raise ParamsError(
                f"{boundary.name} must be possible beside what is kept, but the kept attributes "
                "fix it; keep fewer attributes"
            )
    # One sign for all: sign * (shift @ normal) >= needed.
    signs = np.array([1.0] * len(targets) + [-1.0] * len(rivals))
    gram = (gram + gram.T) / 2 * np.outer(signs, signs)
    needed = np.concatenate([least, -most], axis=1)
    movable = np.flatnonzero(gram.diagonal() > 1e-6 * own)
    return (_hildreth(gram, needed, movable) * signs) @ pulls.T


def present_values(codes: np.ndarray, boundaries: Sequence[Boundary], attribute: str) -> np.ndarray:
    """Say which value of an attribute each code has, by the boundaries.

    It is the value whose centre is nearest: the distances to all boundaries of the attribute,
    each in its standard deviations, are compared with their medians over the value's codes.

    Args:
        codes: [N, D].
        boundaries: Of any attributes.
        attribute: Which to tell.

    Returns:
        Names of values, [N].
    """
    own = [b for b in boundaries if b.attribute == attribute]
    sigmas = np.array([b.sigma for b in own])
    centres = np.array([[b.centres.get(v.value, np.inf) for b in own] for v in own])  # [V, B]
    apart = (measure_distances(codes, own)[:, None] - centres) / sigmas  # [N, V, B]
    nearest = np.square(apart).sum(axis=2).argmin(axis=1)
    return np.array([b.value for b in own])[nearest]


def edit_strip(
    w_plus: np.ndarray,
    targets: Sequence[Boundary],
    offsets: Sequence[float],
    keep: Sequence[Boundary],
) -> np.ndarray:
    """Move each code by several offsets along one or more boundaries at once.

    Args:
        w_plus: Latent codes, [N, num_ws, w_dim].
        targets: What changes.
        offsets: Changes of the distances, in their standard deviations.
        keep: Boundaries whose distances must not change.

    Returns:
        Codes, [N, len(offsets), num_ws, w_dim].

    Raises:
        ParamsError: If a target's normal lies in the span of the kept ones.
    """
    sigmas = np.array([[b.sigma for b in targets]])
    shift = shortest_shifts(targets, sigmas, [], np.empty((1, 0)), keep)
    steps = np.array(offsets)[:, None] * shift
    return w_plus[:, None] + steps[None, :, None].astype(w_plus.dtype)


def check_edit(
    boundaries: Sequence[Boundary], changes: Mapping[str, str], keep: Sequence[str]
) -> None:
    """Check that an edit can be asked of these boundaries.

    Raises:
        ParamsError: If an attribute or value does not exist, nothing is changed, or an attribute
            is to be both changed and kept.
    """
    values: dict[str, list[str]] = {}
    for boundary in boundaries:
        values.setdefault(boundary.attribute, []).append(boundary.value)
    if not changes:
        raise ParamsError("changes must name at least one attribute, got none; set one")
    for attribute in [*changes, *keep]:
        if attribute not in values:
            raise ParamsError(
                f"attribute must be one of {', '.join(values)}, got {attribute}; choose one of them"
            )
    for attribute, value in changes.items():
        if value not in values[attribute]:
            raise ParamsError(
                f"{attribute} must be one of {', '.join(values[attribute])}, got {value}; "
                "choose one of them"
            )
        if attribute in keep:
            raise ParamsError(
                f"{attribute} must be either changed or kept, got both; remove one of the two"
            )


def _check_layers(layers: tuple[int, int] | None, num_ws: int) -> tuple[int, int]:
    first, last = layers or (0, num_ws)
    if not 0 <= first < last <= num_ws:
        raise ParamsError(
            f"layers must be a range within 0 to {num_ws}, got {first} to {last}; choose another"
        )
    return first, last


def _hildreth(gram: np.ndarray, needed: np.ndarray, movable: np.ndarray) -> np.ndarray:
    """Multipliers a >= 0, [N, M], of min a^T gram a / 2 - needed a, one coordinate at a time."""
    multipliers = np.zeros_like(needed)
    for _ in range(SWEEPS):
        largest = 0.0
        for j in movable:
            short = needed[:, j] - multipliers @ gram[j]
            updated = np.maximum(0.0, multipliers[:, j] + short / gram[j, j])
            change = np.abs(updated - multipliers[:, j]) * np.sqrt(gram[j, j])
            largest = max(largest, float(change.max(initial=0.0)))
            multipliers[:, j] = updated
        if largest < TOLERANCE:
            break
    return multipliers
