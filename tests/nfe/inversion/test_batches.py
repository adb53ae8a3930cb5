import torch

from nfe.gan.networks import Generator
from nfe.inversion.batches import draw_codes, draw_images

CPU = torch.device("cpu")


def test_images_come_from_the_data_and_half_of_them_are_mirrored() -> None:
    data = torch.randint(256, (3, 3, 4, 4), dtype=torch.uint8)
    images = draw_images(data, 400, True, torch.Generator().manual_seed(0))
    originals = data.float() / 127.5 - 1
    upright = [any(torch.equal(i, o) for o in originals) for i in images]
    mirrored = [any(torch.equal(i.flip(2), o) for o in originals) for i in images]
    assert all(u or m for u, m in zip(upright, mirrored, strict=True))
    assert 150 < sum(mirrored) < 250
    straight = draw_images(data, 50, False, torch.Generator().manual_seed(0))
    assert all(any(torch.equal(i, o) for o in originals) for i in straight)


def test_codes_are_mapped_and_mixed_as_asked(generator: Generator) -> None:
    alone = draw_codes(generator, 20, 0.0, torch.Generator().manual_seed(0), CPU)
    assert alone.shape == (20, 6, 16)
    torch.testing.assert_close(alone, alone[:, :1].expand(-1, 6, -1))
    mixed = draw_codes(generator, 20, 1.0, torch.Generator().manual_seed(0), CPU)
    assert (mixed[:, 0] != mixed[:, -1]).any(dim=1).all()
    # Each mixed code changes exactly once over the layers.
    changes = (mixed[:, 1:] != mixed[:, :-1]).any(dim=2).sum(dim=1)
    torch.testing.assert_close(changes, torch.ones(20, dtype=torch.int64))


def test_no_codes_can_be_drawn_and_synthesised(generator: Generator) -> None:
    none = draw_codes(generator, 0, 0.5, torch.Generator(), CPU)
    assert none.shape == (0, 6, 16)
    assert generator.synthesis(none).shape == (0, 3, 16, 16)
