from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from nfe.drawing.faces import draw_face, random_face_spec
from nfe.faces.fingerprints import fingerprint, near_duplicates


def made_print(bits: int, color: int = 0) -> bytes:
    return bits.to_bytes(8) + bytes([color]) * 192


def distance(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one[:8]) ^ int.from_bytes(other[:8])).bit_count()


def test_a_fingerprint_survives_another_size_but_not_another_face() -> None:
    rng = np.random.default_rng(7)
    one, other = (draw_face(random_face_spec(rng), 64, 2) for _ in range(2))
    again = np.array(Image.fromarray(one).resize((96, 96)).resize((70, 70)))
    assert len(fingerprint(one)) == 200
    assert distance(fingerprint(one), fingerprint(again)) <= 2
    assert near_duplicates([fingerprint(p) for p in (one, other, again)], 6, 10) == {2: 0}


@pytest.mark.parametrize("max_distance", [0, 3, 9])
def test_near_duplicates_agree_with_comparing_every_pair(max_distance: int) -> None:
    rng = np.random.default_rng(3)
    centers = [int.from_bytes(rng.bytes(8)) for _ in range(12)]
    prints = []
    for _ in range(150):
        value = centers[rng.integers(12)]
        for bit in rng.choice(64, rng.integers(0, 6), replace=False):
            value ^= 1 << int(bit)
        prints.append(made_print(value))
    twins = near_duplicates(prints, max_distance, 0)
    kept = [i for i in range(150) if i not in twins]
    for one, other in combinations(kept, 2):
        assert distance(prints[one], prints[other]) > max_distance
    for twin, original in twins.items():
        assert original in kept
        assert original < twin
        assert distance(prints[twin], prints[original]) <= max_distance


def test_pictures_of_other_colours_are_no_duplicates() -> None:
    prints = [made_print(5, 0), made_print(5, 30), made_print(5, 8)]
    assert near_duplicates(prints, 4, 10) == {2: 0}
    assert near_duplicates([], 4, 10) == {}
