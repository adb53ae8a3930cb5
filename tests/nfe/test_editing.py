import numpy as np
import pytest
from scipy.optimize import minimize

from nfe.boundaries import Boundary, measure_distances
from nfe.editing import (
    edit_codes,
    edit_strip,
    present_values,
    shortest_shifts,
)
from nfe.errors import ParamsError

DIM, NUM_WS = 10, 4
COVARIANCE = np.cov(
    np.random.default_rng(0).standard_normal((40, DIM)) * np.arange(1, 11), rowvar=False
)


def make_boundary(attribute, value, normal, intercept=0.0):
    normal = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    shift = COVARIANCE @ normal
    sigma = float(np.sqrt(normal @ shift))
    centres = {"blue": -sigma, "red": -0.8 * sigma, "pink": -0.5 * sigma, "green": -0.9 * sigma}
    centres |= {"yes": -sigma, "no": -sigma, value: sigma}
    unit = shift / np.linalg.norm(shift)
    return Boundary(attribute, value, "w", normal, intercept, unit, sigma, centres, {})


@pytest.fixture
def boundaries():
    rng = np.random.default_rng(1)
    names = [
        ("hair", "blue"),
        ("hair", "red"),
        ("hair", "pink"),
        ("eyes", "green"),
        ("eyes", "red"),
    ]
    made = [make_boundary(a, v, rng.standard_normal(DIM), 0.1) for a, v in names]
    smile = rng.standard_normal(DIM)
    return [
        *made,
        make_boundary("smile", "yes", smile, 0.3),
        make_boundary("smile", "no", -smile, -0.3),
    ]


@pytest.fixture
def w_plus():
    codes = np.random.default_rng(2).multivariate_normal(np.zeros(DIM), COVARIANCE, 50)
    return np.repeat(codes[:, None], NUM_WS, axis=1)


def named(boundaries, *names):
    return [b for b in boundaries if b.name in names]


def distances(codes, boundaries, *names):
    return measure_distances(codes.mean(axis=1), named(boundaries, *names))


def test_target_is_reached_and_the_present_value_left(w_plus, boundaries):
    edited = edit_codes(w_plus, boundaries, {"hair": "blue"}, [], "auto")
    blue, *others = named(boundaries, "hair=blue", "hair=red", "hair=pink")
    after = distances(edited, boundaries, "hair=blue")
    assert (after >= blue.centres["blue"] - 1e-6).all()
    for other in others:
        reached = distances(edited, boundaries, other.name)
        assert (reached <= other.centres["blue"] + 1e-6).all()
    assert (present_values(edited.mean(1), boundaries, "hair") == "blue").all()


def test_a_number_is_the_distance_to_end_at(w_plus, boundaries):
    edited = edit_codes(w_plus, boundaries, {"smile": "yes"}, [], 7.5)
    before = distances(w_plus, boundaries, "smile=yes")
    after = distances(edited, boundaries, "smile=yes")
    np.testing.assert_allclose(after, np.maximum(before, 7.5), atol=1e-6)


def test_codes_that_are_there_already_do_not_move(w_plus, boundaries):
    once = edit_codes(w_plus, boundaries, {"hair": "blue"}, ["eyes"], "auto")
    twice = edit_codes(once, boundaries, {"hair": "blue"}, ["eyes"], "auto")
    np.testing.assert_allclose(once, twice, atol=1e-6)


def test_kept_distances_stay_though_kept_normals_depend_on_each_other(w_plus, boundaries):
    edited = edit_codes(w_plus, boundaries, {"hair": "red"}, ["eyes", "smile"], "auto")
    names = ("eyes=green", "eyes=red", "smile=yes", "smile=no")
    np.testing.assert_allclose(
        distances(edited, boundaries, *names), distances(w_plus, boundaries, *names), atol=1e-8
    )
    assert (present_values(edited.mean(1), boundaries, "hair") == "red").all()


def test_several_attributes_at_once(w_plus, boundaries):
    changes = {"hair": "pink", "eyes": "green"}
    edited = edit_codes(w_plus, boundaries, changes, ["smile"], "auto")
    for attribute, value in changes.items():
        assert (present_values(edited.mean(1), boundaries, attribute) == value).all()


def test_only_the_chosen_layers_move(w_plus, boundaries):
    edited = edit_codes(w_plus, boundaries, {"hair": "red"}, [], "auto", layers=(1, 3))
    assert (edited[:, [0, 3]] == w_plus[:, [0, 3]]).all()
    assert (edited[:, [1, 2]] != w_plus[:, [1, 2]]).any()


def test_differences_between_layers_stay(boundaries):
    w_plus = np.random.default_rng(3).standard_normal((5, NUM_WS, DIM)).astype(np.float32)
    edited = edit_codes(w_plus, boundaries, {"hair": "red"}, [], "auto")
    assert edited.dtype == np.float32
    np.testing.assert_allclose(np.diff(edited, axis=1), np.diff(w_plus, axis=1), atol=1e-5)


def test_each_code_is_edited_as_if_alone(w_plus, boundaries):
    together = edit_codes(w_plus, boundaries, {"hair": "blue"}, ["eyes"], "auto")
    alone = edit_codes(w_plus[7:8], boundaries, {"hair": "blue"}, ["eyes"], "auto")
    np.testing.assert_allclose(together[7:8], alone, atol=1e-6)


def test_shifts_agree_with_a_general_solver(boundaries):
    blue, red, pink, green = boundaries[:4]
    least, most = np.array([[2.0]]), np.array([[-1.0, 0.5]])
    ours = shortest_shifts([blue], least, [red, pink], most, [green])[0]
    inverse = np.linalg.inv(COVARIANCE)
    reference = minimize(
        lambda s: s @ inverse @ s,
        ours + 0.1,
        jac=lambda s: 2 * inverse @ s,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
        constraints=[
            {"type": "ineq", "fun": lambda s: s @ blue.normal - 2.0},
            {"type": "ineq", "fun": lambda s: -1.0 - s @ red.normal},
            {"type": "ineq", "fun": lambda s: 0.5 - s @ pink.normal},
            {"type": "eq", "fun": lambda s: s @ green.normal},
        ],
    )
    assert reference.success
    np.testing.assert_allclose(ours, reference.x, atol=1e-4)


def test_one_target_alone_moves_along_its_direction(boundaries):
    shift = shortest_shifts(boundaries[:1], np.array([[3.0]]), [], np.empty((1, 0)), [])[0]
    np.testing.assert_allclose(shift / np.linalg.norm(shift), boundaries[0].direction)
    assert shift @ boundaries[0].normal == pytest.approx(3.0)


def test_strip_moves_by_standard_deviations(w_plus, boundaries):
    blue, green = boundaries[0], boundaries[3]
    strip = edit_strip(w_plus, [blue], [-3.0, 0.0, 3.0], [green])
    assert strip.shape == (50, 3, NUM_WS, DIM)
    np.testing.assert_allclose(strip[:, 1], w_plus)
    moved = (strip[:, 2] - w_plus)[:, 0]
    np.testing.assert_allclose(moved @ blue.normal, 3 * blue.sigma)
    np.testing.assert_allclose(moved @ green.normal, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "keep", "message"),
    [
        ({}, [], "changes must name at least one"),
        ({"hat": "red"}, [], "attribute must be one of hair, eyes, smile, got hat"),
        ({"hair": "red"}, ["hat"], "attribute must be one of hair, eyes, smile, got hat"),
        ({"hair": "plaid"}, [], "hair must be one of blue, red, pink, got plaid"),
        ({"hair": "red"}, ["hair"], "either changed or kept"),
    ],
)
def test_impossible_edits_say_what_exists(w_plus, boundaries, changes, keep, message):
    with pytest.raises(ParamsError, match=message):
        edit_codes(w_plus, boundaries, changes, keep, "auto")


def test_a_target_that_is_fixed_by_what_is_kept_is_refused(w_plus, boundaries):
    twin = make_boundary("grin", "yes", boundaries[-1].normal)
    with pytest.raises(ParamsError, match="keep fewer"):
        edit_codes(w_plus, [*boundaries, twin], {"grin": "yes"}, ["smile"], "auto")


@pytest.mark.parametrize("layers", [(0, 5), (2, 2), (-1, 2)])
def test_layers_that_do_not_exist_are_refused(w_plus, boundaries, layers):
    with pytest.raises(ParamsError, match="layers must be a range within 0 to 4"):
        edit_codes(w_plus, boundaries, {"hair": "red"}, [], "auto", layers)
