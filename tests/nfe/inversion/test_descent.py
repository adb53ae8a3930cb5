from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from nfe.errors import TrainingError
from nfe.inversion.descent import LossOf, minimise


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


def test_the_least_of_a_parabola_is_found() -> None:
    goal = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    start = [torch.zeros(2, 2), torch.ones(2)]

    def loss_of(values: Sequence[Tensor]) -> Tensor:
        return (values[0] - goal).square().sum(dim=1) + values[1].square()

    found = minimise(start, lambda _: loss_of, 300, 0.2, 0.0, quiet)
    torch.testing.assert_close(found[0], goal, rtol=0, atol=1e-3)
    torch.testing.assert_close(found[1], torch.zeros(2), rtol=0, atol=1e-3)
    assert torch.equal(start[0], torch.zeros(2, 2))  # left as it was
    assert not found[0].requires_grad


def test_no_step_changes_nothing() -> None:
    start = torch.rand(3, 2)
    (found,) = minimise([start], lambda _: lambda values: values[0].sum(dim=1), 0, 0.1, 0.0, quiet)
    assert torch.equal(found, start)


def test_progress_counts_steps() -> None:
    seen = []
    minimise(
        [torch.ones(2)],
        lambda _: lambda values: values[0],
        3,
        0.1,
        0.0,
        lambda done, total, note: seen.append((done, total, note)),
    )
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[0][2] == "loss 1.0000"


def test_a_loss_that_is_no_number_stops() -> None:
    with pytest.raises(TrainingError, match="loss must be finite, got nan at step 0"):
        minimise([torch.zeros(2)], lambda _: lambda values: values[0] / 0, 5, 0.1, 0.0, quiet)


GOALS = torch.tensor([[30.0], [0.5], [20.0], [0.0]])
FLOOR = 0.1  # of every loss, so that one that is near its goal hardly falls


def approach(rows: Tensor, seen: list[list[int]] | None = None) -> LossOf:
    """Squared distance from the goals of some images, whose values are [A, 1]."""
    if seen is not None:
        seen.append(rows.tolist())
    return lambda values: (values[0] - GOALS[rows]).square().sum(dim=1) + FLOOR


def test_an_image_that_is_done_leaves_the_batch() -> None:
    """The last begins at its goal; the second gets there; the others have far to go."""
    seen: list[list[int]] = []
    (found,) = minimise(
        [torch.zeros(4, 1)], lambda rows: approach(rows, seen), 60, 0.2, 0.02, quiet
    )
    assert seen[:3] == [[0, 1, 2, 3], [0, 1, 2], [0, 2]]
    (whole,) = minimise([torch.zeros(4, 1)], approach, 60, 0.2, 0.0, quiet)
    torch.testing.assert_close(found[[0, 2]], whole[[0, 2]], rtol=0.05, atol=0)
    assert abs(float(found[1]) - 0.5) < 0.2
    assert found[3] == 0


def test_an_image_ends_where_it_would_end_alone() -> None:
    start = torch.zeros(4, 1)
    (together,) = minimise([start], approach, 60, 0.2, 0.02, quiet)
    for i in range(4):
        (alone,) = minimise(
            [start[i : i + 1]], lambda _, i=i: approach(torch.tensor([i])), 60, 0.2, 0.02, quiet
        )
        assert torch.equal(alone, together[i : i + 1])


def test_the_search_ends_when_all_images_are_done() -> None:
    told: list[tuple[int, int]] = []
    (found,) = minimise(
        [GOALS.clone()], approach, 60, 0.2, 0.02, lambda done, total, _: told.append((done, total))
    )
    assert told == [*((i, 60) for i in range(1, 11)), (60, 60)]  # two looks
    assert torch.equal(found, GOALS)
