"""Critics and edits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.image_prior.network import NoiseModel
from brainalign.methods.image_prior.options import EditingOptions
from brainalign.methods.image_prior.schedule import compute_alpha_bar
from brainalign.methods.mig_vis.critic import (
    GroupCritics,
    PretrainedEncoder,
    measure_contrasts,
    train_critics,
)
from brainalign.methods.mig_vis.editing import CONTROLS, Guide, edit_images, invert_references
from brainalign.methods.mig_vis.moves import (
    choose_references,
    find_off_support,
    move_group,
    shuffle_rows,
)
from brainalign.methods.mig_vis.options import CriticOptions
from unit.features.tiny_checkpoints import BUILDERS, PREPROCESSOR, save_checkpoint

GROUPS = [slice(0, 2), slice(2, 4)]


def make_pairs(n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose brightness and colour are the first and second group."""
    generator = np.random.default_rng(0)
    latent = generator.uniform(-1, 1, (n_pairs, 4)).astype(np.float32)
    image = np.zeros((n_pairs, 3, 16, 16), dtype=np.float32)
    image[:, 0] = latent[:, 0, None, None]
    image[:, 1] = latent[:, 2, None, None]
    return image, latent


@pytest.fixture(scope="module")
def critics() -> tuple[GroupCritics, np.ndarray]:
    image, latent = make_pairs(192)
    options = CriticOptions(epochs=15, batch_size=64, shift_pixels=0)
    return train_critics(
        image[None, :128],
        latent[:128],
        np.full((128, 4), -6.0, dtype=np.float32),
        image[128:],
        latent[128:],
        GROUPS,
        options,
        seed=0,
    )


def test_critics_learn_what_images_say_of_each_group(
    critics: tuple[GroupCritics, np.ndarray],
) -> None:
    assert (critics[1] > 0.4).all()


def test_a_critic_of_shuffled_pairs_knows_nothing(
    critics: tuple[GroupCritics, np.ndarray],
) -> None:
    image, latent = make_pairs(192)
    code = critics[0].encoder(torch.from_numpy(image[128:]))
    loss = measure_contrasts(critics[0], code, torch.from_numpy(latent[128:][::-1].copy()))
    assert (np.log(64) - loss.detach().numpy() < 0.1).all()


class GaussianCritic:
    """The best critic of a jointly Gaussian pair: the logarithm of the density ratio."""

    groups = (slice(0, 1),)

    def __init__(self, correlation: float) -> None:
        self.correlation = correlation

    def score(self, code: torch.Tensor, latent: torch.Tensor, group: int) -> torch.Tensor:
        image, other = code[:, :1], latent[:, self.groups[group]].T
        variance = 1 - self.correlation**2
        return (other**2 - (other - self.correlation * image) ** 2 / variance) / 2


@pytest.mark.parametrize("correlation", [0.5, 0.8, 0.9])
def test_the_bound_approaches_the_known_information_of_a_gaussian_pair(correlation: float) -> None:
    generator = torch.Generator().manual_seed(0)
    image, noise = torch.randn(2, 2048, 1, generator=generator, dtype=torch.float64)
    latent = correlation * image + np.sqrt(1 - correlation**2) * noise
    loss = measure_contrasts(GaussianCritic(correlation), image, latent)
    information = -0.5 * np.log(1 - correlation**2)
    assert float(np.log(len(image)) - loss[0]) == pytest.approx(information, abs=0.06)


@pytest.mark.parametrize("kind", ["mutual_information", "likelihood", "activation"])
def test_the_gradient_of_the_guidance_is_that_of_central_differences(
    critics: tuple[GroupCritics, np.ndarray], kind: str
) -> None:
    import copy

    image, latent = make_pairs(8)
    exact = copy.deepcopy(critics[0]).double()
    guide = Guide(exact, latent.astype(np.float64), kind)
    group = torch.tensor([1])
    wanted, origin = (torch.from_numpy(latent[[row]].astype(np.float64)) for row in (0, 2))
    objective = guide.make_objective(group, wanted, origin)
    start = torch.from_numpy(image[1:2].astype(np.float64)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(objective(start).sum(), start)
    direction = torch.randn(start.shape, generator=torch.Generator().manual_seed(0)).double()
    step = 1e-5
    with torch.no_grad():
        rise = objective(start + step * direction) - objective(start - step * direction)
    assert float(rise / (2 * step)) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(BUILDERS["clip"](), tmp_path_factory.mktemp("clip"))


def test_a_frozen_vision_model_sees_images_as_its_checkpoint_says(checkpoint: Path) -> None:
    encoder = PretrainedEncoder(str(checkpoint)).train()
    image = torch.rand(2, 1, 32, 32) * 2 - 1
    mean, sd = (
        torch.tensor(PREPROCESSOR[name]).view(3, 1, 1) for name in ("image_mean", "image_std")
    )
    with torch.no_grad():
        seen = encoder.network(pixel_values=((image.expand(-1, 3, -1, -1) + 1) / 2 - mean) / sd)
        assert torch.allclose(encoder(image), seen.last_hidden_state[:, 0], atol=1e-5)
    assert not encoder.network.training
    assert not any(one.requires_grad for one in encoder.parameters())


def test_critics_on_a_frozen_vision_model_store_what_was_trained_only(checkpoint: Path) -> None:
    options = CriticOptions(
        epochs=1, batch_size=8, shift_pixels=0, encoder="pretrained", encoder_model=str(checkpoint)
    )
    image, latent = make_pairs(24)
    parts = (image[None, :16], latent[:16], np.full((16, 4), -6.0, dtype=np.float32))
    critics, _ = train_critics(*parts, image[16:], latent[16:], GROUPS, options, seed=0)
    assert not any(name.startswith("encoder.") for name in critics.take_trained())
    reference = torch.from_numpy(image[:1]).requires_grad_(True)
    critics.encoder(reference).sum().backward()
    assert float(reference.grad.abs().max()) > 0


def test_a_vision_model_without_a_token_of_the_image_is_refused(tmp_path: Path) -> None:
    folder = save_checkpoint(BUILDERS["resnet"](), tmp_path)
    with pytest.raises(InputError, match="no token of the whole image"):
        PretrainedEncoder(str(folder))


def test_a_vision_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        PretrainedEncoder(str(tmp_path / "nowhere"))


class Nothing(nn.Module):
    """A prior that sees no noise: every image is its own estimate."""

    def forward(self, image: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(image)


def test_moving_one_group_moves_what_it_holds_and_beats_every_control(
    critics: tuple[GroupCritics, np.ndarray],
) -> None:
    image, latent = make_pairs(40)
    order = np.argsort(latent[:, 0])
    reference, target = order[:6], order[-6:]
    prior = NoiseModel(Nothing(), compute_alpha_bar(20))
    options = EditingOptions(n_steps=10, edit_level=0.5, weight=100.0)
    cpu = torch.device("cpu")
    edits = edit_images(
        prior,
        critics[0],
        invert_references(prior, image[reference], options, cpu),
        latent[reference],
        latent[target],
        latent,
        kind="mutual_information",
        move="swap",
        strengths=[1.0],
        n_negatives=32,
        options=options,
        seed=0,
        device=cpu,
    )
    assert edits.control.shape[:3] == (len(CONTROLS), 6, 2)
    red = edits.image[:, 0, 0, 0].mean(axis=(1, 2)) - image[reference, 0].mean(axis=(1, 2))
    green = edits.image[:, 0, 0, 1].mean(axis=(1, 2)) - image[reference, 1].mean(axis=(1, 2))
    assert red.mean() > 3 * abs(green.mean())
    for number in (0, 1, 3):
        control = edits.control[number, :, 0, 0].mean(axis=(1, 2))
        assert red.mean() > (control - image[reference, 0].mean(axis=(1, 2))).mean() + 0.1


def test_only_the_chosen_group_moves() -> None:
    latent = np.zeros((3, 4), dtype=np.float32)
    training = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    for move in ("traverse", "swap", "axis"):
        moved = move_group(
            latent, GROUPS[1], 2.0, move, target=np.ones_like(latent), training=training
        )
        assert (moved[:, :2] == 0).all()
        assert (moved[:, 2:] != 0).any()


def test_far_moves_are_off_the_support() -> None:
    training = np.random.default_rng(0).standard_normal((2000, 4))
    moved = np.zeros((2, 4))
    moved[1, 0] = 10
    assert find_off_support(moved, GROUPS[0], training).tolist() == [False, True]


def test_references_are_spread_over_categories_and_targets_are_of_others() -> None:
    category = np.repeat(["car", "face", "mug"], [10, 5, 3])
    reference, target = choose_references(np.arange(18).astype(str), category, 6, 0)
    assert sorted(category[reference]) == ["car", "car", "face", "face", "mug", "mug"]
    assert (category[reference] != category[target]).all()


def test_no_shuffled_row_stays_where_it_is() -> None:
    shuffled = shuffle_rows(7, np.random.default_rng(0))
    assert (shuffled != np.arange(7)).all()
    assert sorted(shuffled) == list(range(7))
