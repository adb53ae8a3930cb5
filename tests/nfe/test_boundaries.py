import numpy as np
import pytest

from nfe.boundaries import (
    Boundary,
    boundary_correlations,
    condition,
    load_boundaries,
    measure_distances,
    save_boundaries,
)
from nfe.errors import ModelFileError, TagsError
from nfe.files import write_json, write_manifest


def make_boundary(normal, intercept=0.0, attribute="a", value="x"):
    normal = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    return Boundary(attribute, value, "w", normal, intercept, normal, 1.0, {"x": 1.5}, {"n": 3.0})


def test_distance_is_the_euclidean_distance_from_the_plane():
    boundary = make_boundary([3.0, 4.0], intercept=-2.0)
    codes = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(measure_distances(codes, [boundary])[:, 0], [-2.0, 3.0])


def test_conditioned_direction_is_orthogonal_to_dependent_normals():
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((3, 10))
    normals = rng.standard_normal((7, 3)) @ basis  # seven normals of rank three
    direction = rng.standard_normal(10)
    result = condition(direction, normals)
    assert np.linalg.norm(result) == pytest.approx(1)
    np.testing.assert_allclose(normals @ result, 0, atol=1e-12)
    solution = np.linalg.lstsq(basis.T, direction, rcond=None)[0]
    reference = direction - basis.T @ solution
    np.testing.assert_allclose(result, reference / np.linalg.norm(reference), atol=1e-12)


def test_conditioning_on_nothing_changes_nothing():
    np.testing.assert_allclose(condition(np.array([0.0, 2.0]), np.empty((0, 2))), [0, 1])


def test_direction_within_the_kept_span_is_refused():
    with pytest.raises(TagsError, match="leave the span"):
        condition(np.array([1.0, 1.0, 0.0]), np.array([[1.0, 0, 0], [0, 1.0, 0]]))


def test_correlations_are_those_of_the_distances():
    rng = np.random.default_rng(1)
    codes = rng.standard_normal((5000, 4)) @ rng.standard_normal((4, 4))
    covariance = np.cov(codes.T)
    boundaries = []
    for normal in rng.standard_normal((3, 4)):
        normal /= np.linalg.norm(normal)
        pull = covariance @ normal
        sigma, direction = np.sqrt(normal @ pull), pull / np.linalg.norm(pull)
        boundaries.append(Boundary("a", "x", "w", normal, 1.0, direction, sigma, {}, {}))
    expected = np.corrcoef(measure_distances(codes, boundaries).T)
    np.testing.assert_allclose(boundary_correlations(boundaries), expected, atol=1e-9)


def test_saved_boundaries_come_back(tmp_path):
    boundaries = [make_boundary([1, 2, 3], 0.1), make_boundary([0, 1, 0], value="y")]
    save_boundaries(tmp_path / "b", boundaries)
    for before, after in zip(boundaries, load_boundaries(tmp_path / "b"), strict=True):
        assert (before.normal == after.normal).all()
        assert (before.direction == after.direction).all()
        assert before.name == after.name
        assert before.statistics == after.statistics
        assert before.centres == after.centres
        assert (before.intercept, before.sigma) == (after.intercept, after.sigma)


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("b", "c"):
        save_boundaries(tmp_path / name, [make_boundary([1, 2])])
    for file in (tmp_path / "b").iterdir():
        assert file.read_bytes() == (tmp_path / "c" / file.name).read_bytes()


def test_a_flipped_byte_is_refused(tmp_path):
    save_boundaries(tmp_path / "b", [make_boundary([1, 2])])
    file = tmp_path / "b/boundaries.npz"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"boundaries\.npz"):
        load_boundaries(tmp_path / "b")


@pytest.mark.parametrize("description", [{"format": 0, "boundaries": []}, {}, {"format": 1}])
def test_another_format_is_refused(tmp_path, description):
    folder = tmp_path / "b"
    save_boundaries(folder, [make_boundary([1, 2])])
    write_json(folder / "boundaries.json", description)
    write_manifest(folder)
    with pytest.raises(ModelFileError, match="format 1"):
        load_boundaries(folder)
