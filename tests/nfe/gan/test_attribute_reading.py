import math

import pytest
import torch
from torch import Tensor

from nfe.gan.attribute_reading import AttributeReading, CodeReader

SHARES = [torch.tensor([0.8, 0.2]), torch.tensor([0.5, 0.25, 0.25])]


@pytest.fixture
def reader() -> CodeReader:
    torch.manual_seed(0)
    return CodeReader(3, 4, SHARES)


def say(reader: CodeReader, logits: Tensor) -> None:
    """Make the reader give the same logits for every code."""
    with torch.no_grad():
        reader.output.weight.zero_()
        reader.output.bias.copy_(logits)


def test_a_reader_that_knows_nothing_loses_log_two(reader: CodeReader) -> None:
    """Answers as frequent as in the data: both sides of each value weigh one half."""
    say(reader, torch.zeros(5))
    answers = [share.expand(7, -1) for share in SHARES]
    assert reader.term(torch.rand(7, 3, 4), answers).item() == pytest.approx(math.log(2))


def test_the_term_is_the_root_mean_square_of_weighted_logistic_losses(reader: CodeReader) -> None:
    logits = [1.0, -2.0, 0.5, 0.0, 3.0]
    say(reader, torch.tensor(logits))
    answers = [torch.tensor([[0.9, 0.1]]), torch.tensor([[0.2, 0.7, 0.1]])]
    squares = 0.0
    for logit, share, p in zip(
        logits, torch.cat(SHARES).tolist(), torch.cat(answers, dim=1)[0].tolist(), strict=True
    ):
        right = 1 / (1 + math.exp(-logit))
        loss = -0.5 / share * p * math.log(right)
        loss -= 0.5 / (1 - share) * (1 - p) * math.log(1 - right)
        squares += loss**2
    found = reader.term(torch.rand(1, 3, 4), answers)
    assert found.item() == pytest.approx(math.sqrt(squares / 5), rel=1e-5)


def test_the_weight_rises_as_the_learning_rate_falls(reader: CodeReader) -> None:
    reading = AttributeReading(lambda maps: maps, reader, weight=0.5, last_weight=1.5)
    assert [reading.weight_at(fall) for fall in (0.0, 0.25, 1.0)] == [0.5, 0.75, 1.5]


def test_a_value_that_the_data_lacks_weighs_no_more_than_a_rare_one() -> None:
    reader = CodeReader(1, 2, [torch.tensor([1.0, 0.0])])
    assert reader.weights.isfinite().all()
    assert float(reader.weights.max()) == pytest.approx(25)


def test_codes_and_pictures_come_to_agree(reader: CodeReader) -> None:
    """Codes that cannot move, and answers that can: the answers go where the planes are."""
    w_plus = torch.randn(64, 3, 4, generator=torch.Generator().manual_seed(1))
    free = torch.zeros(64, 5, requires_grad=True)
    optimiser = torch.optim.Adam([free, *reader.parameters()], lr=0.1)
    for _ in range(100):
        answers = [part.softmax(dim=1) for part in free.split([2, 3], dim=1)]
        term = reader.term(w_plus, answers)
        optimiser.zero_grad()
        term.backward()
        optimiser.step()
    assert term < 0.1
    groups = zip(reader(w_plus).split([2, 3], dim=1), free.split([2, 3], dim=1), strict=True)
    for part, own in groups:
        assert (part.argmax(dim=1) == own.argmax(dim=1)).float().mean() > 0.95
