"""Networks, options and training of image priors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from brainalign.errors import InputError
from brainalign.methods.image_prior.network import NoisePredictor, count_parameters
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.image_prior.reader import (
    AttributeReader,
    AttributeTable,
    ImageSymmetry,
    ReaderTask,
    shift_images,
)
from brainalign.methods.image_prior.training import AveragedPredictor, train_prior
from brainalign.training.options import TrainingOptions

TINY = {
    "image_size": 16,
    "block_channels": [8, 8],
    "norm_groups": 4,
    "attention_blocks": [False, False],
    "n_levels": 10,
    "epochs": 4,
    "steps_per_epoch": 3,
    "batch_size": 4,
    "checkpoint_every": 1,
}


def make_images(n_images: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.uniform(-1, 1, (n_images, 3, 16, 16)).astype(np.float32)


def test_the_paper_preset_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        predictor = NoisePredictor(ImagePriorOptions(preset="paper"))
    assert count_parameters(predictor) == pytest.approx(61.8e6, rel=0.01)


@pytest.mark.slow
def test_the_paper_preset_takes_real_steps() -> None:
    options = ImagePriorOptions(preset="paper", epochs=1, steps_per_epoch=2, batch_size=1)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 1, 128, 128)).astype(np.float32)
    _, history = train_prior(images[:2], images[2:], options, seed=0)
    assert np.isfinite(history["loss"]).all()


def test_the_small_preset_has_about_a_million_parameters() -> None:
    with torch.device("meta"):
        predictor = NoisePredictor(ImagePriorOptions())
    assert count_parameters(predictor) == pytest.approx(1.184e6, rel=0.01)


def test_a_size_that_cannot_be_halved_is_refused_by_the_options() -> None:
    with pytest.raises(ValidationError, match="cannot be halved"):
        ImagePriorOptions(image_size=34)


def test_an_image_that_cannot_be_halved_is_refused_by_the_network() -> None:
    predictor = NoisePredictor(ImagePriorOptions(**TINY))
    with pytest.raises(InputError, match="cannot be halved"):
        predictor(torch.zeros(1, 3, 18, 18), torch.zeros(1, dtype=torch.int64))


def test_training_lowers_the_error_of_the_noise() -> None:
    images = make_images(12)
    options = ImagePriorOptions(**{**TINY, "epochs": 10, "learning_rate": 3e-3})
    _, history = train_prior(images[:8], images[8:], options, seed=0)
    assert history["validation_score"].iloc[-1] > history["validation_score"].iloc[0]


def test_a_killed_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    images = make_images(12)
    options = ImagePriorOptions(**TINY)

    def stop(record: object, epochs: int) -> None:
        if record.epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    whole, _ = train_prior(images[:8], images[8:], options, seed=0)
    with pytest.raises(KeyboardInterrupt):
        train_prior(images[:8], images[8:], options, seed=0, scratch=tmp_path, report=stop)
    resumed, history = train_prior(images[:8], images[8:], options, seed=0, scratch=tmp_path)
    assert len(history) == 4
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name])


def test_the_average_follows_the_trained_weights() -> None:
    module = AveragedPredictor(ImagePriorOptions(**TINY))
    with torch.no_grad():
        for weight in module.trained.parameters():
            weight.fill_(1.0)
    for _ in range(200):
        module.update_average()
    weights = torch.cat([weight.flatten() for weight in module.average.parameters()])
    assert (weights - 1).abs().max() < 0.5
    assert not any(weight.requires_grad for weight in module.average.parameters())


def test_content_moves_right_and_up() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 4, 4] = 1
    moved = shift_images(image, np.array([2]), np.array([1]))
    assert moved[0, 0, 3, 6] == 1


def test_a_mirrored_image_turns_the_factors_that_it_must() -> None:
    image = np.zeros((1, 8, 1, 8, 8), dtype=np.float32)
    image[..., :4] = 1
    factor = np.tile(np.array([0.5, 0.25], dtype=np.float32), (8, 1))
    table = AttributeTable(np.zeros(8, dtype=np.int64), factor)
    # Standardised with mean 1 and SD 2: the raw 2.0 becomes -2.0, that is -1.5.
    mirror = np.array([[-1, 1], [-1, 0]], dtype=np.float32)
    still = np.zeros(2, dtype=np.float32)
    reader = AttributeReader(1, 1, 2)
    task = ReaderTask(
        *(reader, TrainingOptions(batch_size=8, largest_batch_fraction=1.0), image, table),
        *(image[0], table, ImageSymmetry(still, still, mirror)),
    )
    task.prepare(torch.device("cpu"))
    (batch,) = task.iterate_batches(0, np.random.default_rng(0))
    mirrored = batch[0][:, 0, 0, 0] == 0
    assert 0 < int(mirrored.sum()) < 8
    assert torch.equal(batch[2][:, 0], torch.where(mirrored, -1.5, 0.5))
    assert (batch[2][:, 1] == 0.25).all()
