from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from nfe.errors import TrainingError
from nfe.inversion.descent import minimise


def quiet(done: int, total: int, note: str) -> None:
    """Show no progress."""


def test_the_least_of_a_parabola_is_found() -> None:
    goal = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    start = [torch.zeros(2, 2), torch.ones(2)]

    def loss_of(values: Sequence[Tensor]) -> Tensor:
        return (values[0] - goal).square().sum(dim=1) + values[1].square()

    found = minimise(start, loss_of, 300, 0.2, quiet)
    torch.testing.assert_close(found[0], goal, rtol=0, atol=1e-3)
    torch.testing.assert_close(found[1], torch.zeros(2), rtol=0, atol=1e-3)
    assert torch.equal(start[0], torch.zeros(2, 2))  # left as it was
    assert not found[0].requires_grad


def test_no_step_changes_nothing() -> None:
    start = torch.rand(3, 2)
    (found,) = minimise([start], lambda values: values[0].sum(dim=1), 0, 0.1, quiet)
    assert torch.equal(found, start)


def test_progress_counts_steps() -> None:
    seen = []
    minimise(
        [torch.ones(2)],
        lambda values: values[0],
        3,
        0.1,
        lambda done, total, note: seen.append((done, total, note)),
    )
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[0][2] == "loss 1.0000"


def test_a_loss_that_is_no_number_stops() -> None:
    with pytest.raises(TrainingError, match="loss must be finite, got nan at step 0"):
        minimise([torch.zeros(2)], lambda values: values[0] / 0, 5, 0.1, quiet)
