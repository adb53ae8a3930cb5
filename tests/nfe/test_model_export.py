from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from nfe.errors import ModelFileError
from nfe.gan.networks import Architecture, Generator
from nfe.model_export import export_network


@pytest.mark.parametrize("architecture", ["stylegan2", "stylegan", "published_stylegan2"])
def test_each_synthesis_is_exported_for_any_number(
    architecture: Architecture, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    generator = Generator(16, 8, 8, 2, 64, 8, architecture).requires_grad_(False).eval()
    for parameter in generator.synthesis.parameters():  # RGB outputs begin at zero
        parameter.add_(torch.randn_like(parameter) * 0.1)
    path = tmp_path / "synthesis.onnx"
    shape = [generator.num_ws, 8]
    assert export_network(path, generator.synthesis, shape, "w_plus", "images") <= 1e-4
    w_plus = torch.randn(7, *shape)
    (found,) = onnxruntime.InferenceSession(path).run(None, {"w_plus": w_plus.numpy()})
    np.testing.assert_allclose(found, generator.synthesis(w_plus).numpy(), atol=1e-4)


class Counting(nn.Module):
    """What no trace can hold: its answer depends on the size of the batch in Python."""

    def forward(self, x: Tensor) -> Tensor:
        return x * [0.0, 1.0, 2.0, 3.0][int(x.shape[0])]


def test_a_network_that_differs_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "counting.onnx"
    with pytest.raises(ModelFileError, match=r"counting\.onnx must agree with torch to 0\.0001"):
        export_network(path, Counting(), [4], "x", "y")
    assert list(tmp_path.iterdir()) == []
