from pathlib import Path

import pytest

from nfe.errors import SourceError
from nfe.files import write_json, write_text
from nfe.reporting.summary import read_metrics, summarise

METRICS = {
    "curate": {"num_faces": 1100, "num_train": 900, "num_holdout": 100},
    "evaluate_gan": {"fd_judge": 12.3456, "precision_judge": 0.7, "recall_judge": 0.0004},
    "train_tagger": {
        "judge": {"num_pictures": 9, "hair": {"accuracy": 1.0}, "open_mouth": {"accuracy": 0.5}}
    },
    "fit_boundaries": {
        "num_boundaries": 4,
        "num_skipped": 1,
        "hair": {"num_values": 3, "remaining_balanced_accuracy": 0.9},
        "smile": {"num_values": 1, "remaining_balanced_accuracy": 0.5},
        "skipped": {},
    },
    "invert": {"num_images": 64, "psnr": 20.42, "encoder_psnr": 17.5, "seconds_per_image": 0.43},
    "edit": {
        "num_inverted": 64,
        "conditional_inverted_success": 0.75,
        "conditional_generated_success": 1.0,
        "conditional_inverted_preservation": 0.87,
        "unconditional_inverted_preservation": 0.76,
    },
}


def test_each_stage_has_its_figure() -> None:
    values = {line.label: line.value for line in summarise(METRICS)}
    assert values == {
        "Edits succeed": "75 %",
        "Other attributes stay": "87 %",
        "Reconstruction, PSNR": "20.4 dB",
        "Boundaries are right": "80 %",  # (3 * 0.9 + 0.5) / 4
        "Fréchet distance of samples": "12.3",
        "The judge is right": "75 %",
        "Faces to learn from": "900",
    }


def test_sentences_are_honest() -> None:
    said = {line.stage: line.sentence for line in summarise(METRICS)}
    assert "the hardest is open mouth with 50 %" in said["train_tagger"]
    assert "is not FID" in said["evaluate_gan"]
    assert "0.1 % of the data is covered" in said["evaluate_gan"]
    assert "1 value had to be left out" in said["fit_boundaries"]
    first = summarise(METRICS)[0].sentence
    assert first.startswith("25 % miss")


def test_what_has_not_run_is_left_out() -> None:
    assert summarise({}) == []
    assert [line.stage for line in summarise({"curate": METRICS["curate"]})] == ["curate"]
    assert summarise({"fit_boundaries": {}, "edit": {"num_inverted": 3}}) == []


def test_metrics_are_read_from_their_folders(tmp_path: Path) -> None:
    write_json(tmp_path / "crop/metrics.json", {"a": 1})
    assert read_metrics(tmp_path) == {"crop": {"a": 1}}
    write_text(tmp_path / "tag/metrics.json", "{")
    with pytest.raises(SourceError, match=r"tag/metrics.json must be .* run `nfe run --force tag`"):
        read_metrics(tmp_path)
