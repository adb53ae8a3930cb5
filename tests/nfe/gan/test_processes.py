"""Training in several processes: real ones, over the loopback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nfe.gan.processes import (
    average_over_processes,
    gather_from_processes,
    join_processes,
    num_processes,
    process_rank,
)

ROOT = Path(__file__).parents[3]
PROGRAM = """
import numpy as np, torch
from nfe.gan.processes import *
from tests_settings import make_trainer

with join_processes("cpu"):
    rank = process_rank()
    values = [torch.full((2, 2), float(rank)), torch.tensor(3.0 * rank)]
    average_over_processes(values)
    assert values[0].tolist() == [[0.5, 0.5], [0.5, 0.5]] and values[1].item() == 1.5
    gathered = gather_from_processes(torch.tensor([rank]))
    assert [v.item() for v in gathered] == [0, 1]
    trainer = make_trainer()
    assert trainer.share == 2
    for _ in range(5):
        assert trainer.train_step() is None
    weights = torch.cat([p.detach().flatten() for p in trainer.generator.parameters()])
    both = gather_from_processes(weights)
    assert torch.equal(both[0], both[1])
    drawn = gather_from_processes(trainer.random.get_state())
    assert not torch.equal(drawn[0], drawn[1])
"""
SETTINGS = """
import numpy as np, torch
from nfe.gan.networks import Discriminator, Generator
from nfe.gan.settings import GrowthStep, TrainingSettings
from nfe.gan.training import GanTrainer
from nfe.gan.watching import WatchLimits

def make_trainer():
    torch.manual_seed(0)
    generator = Generator(
        resolution=16, z_dim=8, w_dim=8, num_mapping_layers=2, channel_base=64, channel_max=8,
        architecture="stylegan2",
    )
    discriminator = Discriminator(resolution=16, channel_base=64, channel_max=8)
    settings = TrainingSettings(
        growth=(GrowthStep(16, 1.0, 0.004, 1.0),),
        adam_betas=(0.0, 0.99), batch_size=4, decay_share=0.0, mapping_rise=1.0, r1_interval=2,
        ema_kimg=0.01, ema_rampup=0.5, mixing_probability=0.9, mirror=True, augment_target=0.5,
        colour_weight=0.1, bf16=False, checkpoint_kimg=1.0, limits=WatchLimits(0.1, 50, 1),
    )
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    return GanTrainer(pixels, generator, discriminator, None, settings, 0, "cpu")
"""


def test_two_processes_keep_the_same_weights_and_draw_different_pictures(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "tests_settings.py").write_text(SETTINGS)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    result = subprocess.run(
        [*command, "--master-port=29513", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]


def test_a_single_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes("cpu") as device:
        assert device == "cpu"
    assert (num_processes(), process_rank()) == (1, 0)
    value = torch.tensor([1.0, 2.0])
    average_over_processes([value])
    assert value.tolist() == [1.0, 2.0]
    assert gather_from_processes(value) == [value]
