from nfe.picture_restoring import scale_box


def test_a_box_is_scaled_outwards() -> None:
    assert scale_box((10, 20, 31, 40), 128, 64) == (5, 10, 16, 20)
    assert scale_box((3, 3, 4, 4), 1024, 64) == (0, 0, 1, 1)
    assert scale_box((1, 2, 3, 4), 64, 64) == (1, 2, 3, 4)
    assert scale_box((0, 0, 7, 7), 7, 64) == (0, 0, 64, 64)
