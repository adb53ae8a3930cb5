import torch

from nfe.inversion.latent_discriminator import CodePool, LatentAdversary, LatentDiscriminator
from nfe.inversion.settings import LatentDiscriminatorSettings

SETTINGS = LatentDiscriminatorSettings(learning_rate=0.01, r1_gamma=0.1, r1_interval=4, pool_size=0)


def make_adversary(seed: int = 0, scale: float = 1.0, centre: float = 0.0) -> LatentAdversary:
    return LatentAdversary(torch.full((8,), centre), torch.full((8,), scale), SETTINGS, seed)


def train(adversary: LatentAdversary, shift: float, num_steps: int) -> None:
    """Codes of three layers around `shift`, codes of the mapping around the mean code."""
    random = torch.Generator().manual_seed(1)
    unit = adversary.w_scale[0]
    for step in range(num_steps):
        w_plus = adversary.w_avg + unit * (torch.randn(16, 3, 8, generator=random) + shift)
        w = adversary.w_avg + unit * torch.randn(48, 8, generator=random)
        adversary.train_step(w_plus, w, step, random)


def test_it_has_four_layers_and_one_logit_per_code() -> None:
    network = LatentDiscriminator(w_dim=8)
    assert len([p for p in network.parameters() if p.ndim == 2]) == 4
    assert network(torch.randn(5, 8)).shape == (5,)


def test_it_learns_to_tell_two_gaussians_apart() -> None:
    adversary = make_adversary()
    train(adversary, shift=1.5, num_steps=60)
    random = torch.Generator().manual_seed(2)
    sampled = torch.randn(1000, 8, generator=random)
    encoded = torch.randn(1000, 8, generator=random) + 1.5
    right = (adversary.network(sampled) > 0).float().mean() / 2
    right = right + (adversary.network(encoded) < 0).float().mean() / 2
    assert right > 0.95  # the best possible is 0.98


def test_the_term_pulls_codes_towards_the_mapping_and_teaches_the_network_nothing() -> None:
    adversary = make_adversary()
    train(adversary, shift=1.5, num_steps=60)
    adversary.optimiser.zero_grad(set_to_none=True)
    w_plus = torch.full((2, 3, 8), 1.5, requires_grad=True)
    adversary.term(w_plus).backward()
    assert w_plus.grad is not None
    assert (w_plus.grad.sum(dim=2) > 0).all()  # down the gradient is towards 0
    assert all(p.grad is None and p.requires_grad for p in adversary.network.parameters())


def test_mean_and_unit_of_the_codes_do_not_matter() -> None:
    plain, moved = make_adversary(), make_adversary(scale=0.5, centre=3.0)
    train(plain, shift=1.0, num_steps=10)
    train(moved, shift=1.0, num_steps=10)
    for one, other in zip(plain.network.parameters(), moved.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_weights_follow_from_the_seed_and_the_global_state_stays() -> None:
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    one, same, other = make_adversary(1), make_adversary(1), make_adversary(2)
    assert torch.equal(torch.randn(3), expected)
    assert torch.equal(one.network.output.weight, same.network.output.weight)
    assert not torch.equal(one.network.output.weight, other.network.output.weight)


def test_pool_keeps_50_and_swaps_half() -> None:
    pool, random = CodePool(50), torch.Generator().manual_seed(0)
    filling = torch.arange(50.0)[:, None, None].expand(50, 2, 4)
    assert torch.equal(pool.swap(filling, random), filling)  # until it is full nothing is swapped
    newer = 100 + torch.arange(30.0)[:, None, None].expand(30, 2, 4)
    shown = pool.swap(newer, random)
    kept = torch.stack(pool.codes)
    assert len(kept) == 50
    num_old = int((shown < 50).all(dim=(1, 2)).sum())
    assert 8 <= num_old <= 22
    both = torch.cat([shown, kept])[:, 0, 0].sort().values  # nothing is lost, nothing is doubled
    assert torch.equal(both, torch.cat([filling, newer])[:, 0, 0].sort().values)


def test_a_pool_of_size_0_gives_back_what_it_is_given() -> None:
    pool, random = CodePool(0), torch.Generator().manual_seed(0)
    state = random.get_state()
    codes = torch.randn(4, 2, 3)
    assert torch.equal(pool.swap(codes, random), codes)
    assert pool.codes == []
    assert torch.equal(random.get_state(), state)
