import numpy as np
import pytest
import torch
from PIL import Image

from nfe.errors import ModelFileError, PictureError
from nfe.images import images_from_pixels
from nfe.tagging.inputs import ILLUSTRATION2VEC, InputFormat, resize_bilinear, rgb_pixels

OURS = InputFormat(64, "RGB", (127.5, 127.5, 127.5), 1 / 127.5, "lanczos")


def random_pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (500, 301), (224, 224), (1, 3)])
def test_bilinear_against_torch(size):
    pixels = random_pixels(*size, 3)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    reference = torch.nn.functional.interpolate(
        images, (224, 224), mode="bilinear", align_corners=False
    )
    found = resize_bilinear(pixels, 224, 224)
    assert np.abs(found - reference[0].permute(1, 2, 0).numpy()).max() < 1e-3


def test_enlarging_agrees_with_pillow():
    pixels = random_pixels(64, 64, 3)
    reference = np.asarray(Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR))
    assert np.abs(resize_bilinear(pixels, 224, 224) - reference).max() <= 1.01


def test_illustration2vec_input_by_hand():
    pixels = np.full((1, 224, 224, 3), (10, 20, 30), dtype=np.uint8)
    images = ILLUSTRATION2VEC.prepare(pixels)
    assert images.shape == (1, 3, 224, 224)
    blue_green_red = (30 - 164.76139251, 20 - 167.47864617, 10 - 181.13838569)
    assert images[0, :, 5, 7] == pytest.approx(blue_green_red, abs=1e-4)


def test_our_input_is_images():
    pixels = random_pixels(5, 64, 64, 3)
    assert np.abs(OURS.prepare(pixels) - images_from_pixels(pixels).numpy()).max() < 1e-6
    assert OURS.prepare([random_pixels(30, 50, 3)]).shape == (1, 3, 64, 64)


def test_alpha_is_dropped_and_grey_repeated():
    rgba = random_pixels(4, 5, 4)
    assert (rgb_pixels(rgba) == rgba[..., :3]).all()
    assert (rgb_pixels(Image.fromarray(rgba, "RGBA")) == rgba[..., :3]).all()
    grey = random_pixels(4, 5)
    for picture in (grey, grey[..., None], Image.fromarray(grey), grey.astype(np.float32)):
        assert (rgb_pixels(picture) == grey[..., None]).all()
    palette = Image.fromarray(random_pixels(4, 5, 3)).quantize(4)
    assert (rgb_pixels(palette) == np.asarray(palette.convert("RGB"))).all()


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (2, 4, 4, 3), (0, 4, 3)])
def test_no_picture(shape):
    with pytest.raises(PictureError, match="shape"):
        rgb_pixels(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        {"channels": "XYZ"},
        {"mean": [1, 2]},
        {"resample": "cubic"},
        {"resolution": 0},
        {"scale": "a"},
    ],
)
def test_description_that_is_wrong(change):
    valid = {
        "resolution": 64,
        "channels": "RGB",
        "mean": [0, 0, 0],
        "scale": 1,
        "resample": "lanczos",
    }
    assert InputFormat.from_json(valid).resolution == 64
    with pytest.raises(ModelFileError, match=r"tagger\.json"):
        InputFormat.from_json({**valid, **change})
    with pytest.raises(ModelFileError, match=r"tagger\.json"):
        InputFormat.from_json(None)
