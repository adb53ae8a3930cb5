"""pytorch-fid's network: refuses other weights; the network itself is theirs."""

from pathlib import Path

import pytest

from nfe.errors import ModelFileError
from nfe.metrics.inception import load_inception


def test_another_file_is_refused_by_its_hash(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"something else")
    with pytest.raises(ModelFileError, match="6726825d"):
        load_inception(weights, "cpu")
