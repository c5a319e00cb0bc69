"""Training makes the small backbones better, reproducibly, and writes loadable checkpoints."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from brainalign.errors import InputError
from brainalign.features.extraction import extract_features
from brainalign.features.options import WorldCLIPOptions, WorldDINOOptions
from brainalign.features.registry import load_backbone
from brainalign.features.world_backbones.augmentation import (
    crop_images,
    jitter_colours,
    shift_images,
)
from brainalign.features.world_backbones.captions import (
    build_prompts,
    build_tokenizer,
    mirror_caption,
)
from brainalign.features.world_backbones.clip import (
    compute_contrast,
    train_world_clip,
)
from brainalign.features.world_backbones.dino import compute_view_contrast, train_world_dino
from brainalign.features.world_backbones.evaluation import (
    evaluate_world_backbone,
    measure_zero_shot,
    probe_categories,
)
from brainalign.features.world_backbones.options import CLIPTrainingOptions, DINOTrainingOptions
from brainalign.features.world_backbones.training import count_steps, iterate_epochs

SHAPE = {"image_size": 24, "patch_size": 8, "hidden_size": 32, "n_heads": 2, "n_layers": 2}
CLIP = CLIPTrainingOptions(
    **SHAPE,
    n_epochs=50,
    batch_size=16,
    learning_rate=1e-3,
    projection_size=16,
    n_text_layers=1,
    maximum_shift=1,
)
DINO = DINOTrainingOptions(
    **SHAPE,
    n_epochs=40,
    batch_size=16,
    global_size=24,
    local_size=8,
    teacher_momentum=0.95,
)


def draw_world(n_images: int, seed: int) -> tuple[np.ndarray, list[list[str]], list[str]]:
    """Stripes, columns and discs in two colours, anywhere and of any brightness."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24]
    images, captions, categories = [], [], []
    for _ in range(n_images):
        category = str(generator.choice(["stripe", "column", "disc"]))
        colour = str(generator.choice(["red", "blue"]))
        row, column = generator.uniform(8, 16, 2)
        shape = {
            "stripe": abs(y - row) < 3,
            "column": abs(x - column) < 3,
            "disc": (y - row) ** 2 + (x - column) ** 2 < 36,
        }[category]
        image = np.full((24, 24, 3), generator.uniform(20, 120))
        image[shape] = (230, 40, 40) if colour == "red" else (40, 40, 230)
        images.append(np.clip(image + generator.normal(0, 8, image.shape), 0, 255))
        captions.append([f"A {colour} {category}.", f"A {category}."])
        categories.append(category)
    return np.array(images, dtype=np.uint8), captions, categories


@pytest.fixture(scope="module")
def world():
    return draw_world(96, 0)


@pytest.fixture(scope="module")
def heldout():
    return draw_world(60, 1)


@pytest.fixture(autouse=True)
def _one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def clip_folder(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("world_clip")
    train_world_clip(world[0], world[1], CLIP, 0, folder)
    return folder


def test_clip_names_the_categories_of_images_it_has_not_seen(clip_folder, world, heldout):
    captions = [text for texts in world[1] for text in texts]
    prompts = build_prompts(captions, ["stripe", "column", "disc"])
    accuracy = measure_zero_shot(clip_folder, heldout[0], heldout[2], prompts)
    assert accuracy > 0.7  # chance is 1/3
    shuffled = list(np.random.default_rng(0).permutation(heldout[2]))
    assert measure_zero_shot(clip_folder, heldout[0], shuffled, prompts) < 0.55


def test_the_loss_of_clip_falls(clip_folder):
    history = pd.read_csv(clip_folder / "training.csv")
    assert list(history.columns) == ["epoch", "loss", "accuracy"]
    assert len(history) == CLIP.n_epochs
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]


def test_clip_loads_as_a_published_checkpoint_does(clip_folder, heldout):
    backbone = load_backbone(WorldCLIPOptions(), clip_folder)
    assert (backbone.architecture, backbone.n_layers) == ("clip", 2)
    processor = CLIPImageProcessorPil.from_pretrained(clip_folder)
    expected = processor(list(heldout[0][:3]), return_tensors="pt")["pixel_values"]
    found = backbone.preprocessing.apply(torch.from_numpy(heldout[0][:3]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_saved_tokenizer_gives_the_text_tower_its_end_of_text(clip_folder):
    tokenizer = AutoTokenizer.from_pretrained(clip_folder, local_files_only=True)
    model = CLIPModel.from_pretrained(clip_folder, local_files_only=True)
    tokens = tokenizer(["A red disc.", "a RED disc."], return_tensors="pt")["input_ids"]
    assert torch.equal(tokens[0], tokens[1])
    assert tokens[0, -1] == model.config.text_config.eos_token_id
    assert tokenizer.unk_token_id not in tokens
    assert tokenizer.unk_token_id in tokenizer("a zebra")["input_ids"]


def test_the_evaluation_is_written_beside_the_weights(clip_folder, world, heldout):
    captions = [text for texts in world[1] for text in texts]
    evaluation = evaluate_world_backbone(
        clip_folder, world[0], world[2], heldout[0], heldout[2], captions
    )
    assert evaluation == json.loads((clip_folder / "evaluation.json").read_text())
    assert evaluation["chance"] == pytest.approx(1 / 3)
    assert evaluation["probe_accuracy"] > 0.8


@pytest.fixture(scope="module")
def dino_folder(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("world_dino")
    train_world_dino(world[0], DINO, 0, folder)
    return folder


def test_the_loss_of_dino_falls(dino_folder):
    history = pd.read_csv(dino_folder / "training.csv")
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def find_mirror_images(folder: Path, images: np.ndarray) -> float:
    """Return the fraction of images whose mirror image has the most similar CLS."""
    backbone = load_backbone(WorldDINOOptions(), folder)
    plain, mirrored = (
        extract_features(shown, backbone, [-1], ["cls"])["layer_2/cls"]
        for shown in (images, images[:, :, ::-1])
    )
    plain, mirrored = plain - plain.mean(axis=0), mirrored - plain.mean(axis=0)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    return float(((mirrored @ plain.T).argmax(axis=1) == np.arange(len(images))).mean())


def test_dino_recognises_mirror_images_that_it_has_not_seen(dino_folder, world, heldout, tmp_path):
    start = DINO.model_copy(update={"n_epochs": 1, "learning_rate": 1e-12})
    train_world_dino(world[0], start, 0, tmp_path)
    assert find_mirror_images(dino_folder, heldout[0]) > 0.7
    assert find_mirror_images(tmp_path, heldout[0]) < 0.6


def test_local_views_are_compared_too(world, tmp_path):
    short = {"n_epochs": 1, "n_local_crops": 2}
    options = DINO.model_copy(update=short)
    with_local = train_world_dino(world[0], options, 0, tmp_path / "with")
    options = DINO.model_copy(update={**short, "n_local_crops": 0})
    without = train_world_dino(world[0], options, 0, tmp_path / "without")
    assert with_local["loss"].iloc[0] != without["loss"].iloc[0]


def test_dino_loads_as_a_published_checkpoint_does(dino_folder):
    assert load_backbone(WorldDINOOptions(), dino_folder).architecture == "dinov2"


@pytest.mark.parametrize("kind", ["clip", "dino"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(kind, world, tmp_path):
    def train(seed: int, name: str) -> dict[str, torch.Tensor]:
        short = {"n_epochs": 1}
        if kind == "clip":
            options = CLIP.model_copy(update=short)
            train_world_clip(world[0], world[1], options, seed, tmp_path / name)
        else:
            train_world_dino(world[0], DINO.model_copy(update=short), seed, tmp_path / name)
        return load_file(tmp_path / name / "model.safetensors")

    state = torch.get_rng_state()
    first, again, other = train(0, "first"), train(0, "again"), train(1, "other")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_images_that_are_not_square_are_refused(world, tmp_path):
    with pytest.raises(InputError, match="square RGB"):
        train_world_dino(world[0][:, :16], DINO, 0, tmp_path)


def test_one_string_per_image_is_no_list_of_captions(world, tmp_path):
    with pytest.raises(InputError, match="equally many captions"):
        train_world_clip(world[0], ["a disc"] * len(world[0]), CLIP, 0, tmp_path)


def test_a_number_of_captions_that_differs_from_the_images_is_refused(world, tmp_path):
    with pytest.raises(InputError, match="differ in number"):
        train_world_clip(world[0], world[1][:-1], CLIP, 0, tmp_path)


def test_a_training_that_diverges_says_so(world, tmp_path):
    options = CLIP.model_copy(update={"learning_rate": 1e30, "warmup_fraction": 0.0})
    with pytest.raises(InputError, match=r"diverged.*Lower learning_rate"):
        train_world_clip(world[0], world[1], options, 0, tmp_path)


def test_equal_captions_are_no_negatives():
    logits = torch.tensor([[9.0, 9.0, -9.0], [9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]])
    shared, _ = compute_contrast(logits, torch.tensor([0, 0, 1]))
    apart, _ = compute_contrast(logits, torch.tensor([0, 1, 2]))
    # Two of three rows stay undecided between two equal captions: 2/3 log 2 is the minimum.
    assert shared.item() == pytest.approx(2 / 3 * np.log(2), abs=1e-5)
    assert compute_contrast(logits, torch.tensor([0, 0, 1]))[1].item() == 1
    assert apart.item() == pytest.approx(2 / 3 * np.log(2), abs=1e-5)
    sharper = torch.tensor([[9.0, 0.0, -9.0], [0.0, 9.0, -9.0], [-9.0, -9.0, 9.0]])
    assert compute_contrast(sharper, torch.tensor([0, 0, 1]))[0] > shared
    assert compute_contrast(sharper, torch.tensor([0, 1, 2]))[0] < apart


def test_a_view_is_not_compared_with_itself():
    own = torch.eye(4)
    other = own.roll(1, dims=0)
    # The student repeats the teacher's own view, which must earn nothing.
    assert compute_view_contrast((own, other), (own, other), 0.1)[1] == 0
    assert compute_view_contrast((own, own), (own, own), 0.1)[1] == 1


def test_mirroring_a_caption_twice_gives_it_back():
    caption = "A red car at the upper left, lit from the right; the car is left of the lefty."
    mirrored = "A red car at the upper right, lit from the left; the car is right of the lefty."
    assert mirror_caption(caption) == mirrored
    assert mirror_caption(mirrored) == caption


def test_prompts_exchange_only_the_category():
    prompts = build_prompts(
        ["A red car by the sea.", "A car and a mug.", "A cart."], ["car", "mug"]
    )
    assert prompts == {"car": ["A red car by the sea."], "mug": ["A red mug by the sea."]}


def test_the_tokenizer_knows_every_word_and_its_longest_caption():
    tokenizer = build_tokenizer(["a red car.", "a blue mug by the sea"])
    assert tokenizer.model_max_length == 8
    assert tokenizer.unk_token_id not in tokenizer("blue car by a mug")["input_ids"]


def test_every_image_comes_once_per_epoch_and_never_alone():
    options = CLIP.model_copy(update={"n_epochs": 2, "batch_size": 4})
    batches = list(iterate_epochs(9, options, torch.Generator().manual_seed(0)))
    assert len(batches) == count_steps(9, options) == 4
    for epoch in (0, 1):
        rows = torch.cat([rows for number, rows in batches if number == epoch])
        assert len(set(rows.tolist())) == len(rows) == 8


def test_a_shift_moves_whole_pixels():
    images = torch.arange(2 * 3 * 9 * 9.0).view(2, 3, 9, 9)
    shifted = shift_images(images, 2, torch.Generator().manual_seed(0))
    for image, moved in zip(images, shifted, strict=True):
        steps = {(y, x) for y in range(-2, 3) for x in range(-2, 3)}
        assert any(
            torch.equal(moved[:, 2:-2, 2:-2], image[:, 2 + y : 7 + y, 2 + x : 7 + x])
            for y, x in steps
        )


def test_a_crop_of_the_whole_square_is_the_image_or_its_mirror():
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    # All of the area fits only where the aspect is clipped at the border.
    crops = crop_images(images, 16, (1.78, 1.78), torch.Generator().manual_seed(1))
    mirrored = [
        torch.allclose(crop, image.flip(-1), atol=1e-4)
        for crop, image in zip(crops, images, strict=True)
    ]
    plain = [
        torch.allclose(crop, image, atol=1e-4) for crop, image in zip(crops, images, strict=True)
    ]
    assert all(one != other for one, other in zip(mirrored, plain, strict=True))
    assert any(mirrored)
    assert any(plain)


def test_colour_changes_leave_grey_images_grey_and_in_range():
    grey = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(6, 3, 8, 8)
    changed = jitter_colours(grey, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(changed[:, 0], changed[:, 2], atol=1e-5)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed - grey).abs().max() > 0.05


def test_a_probe_finds_linear_categories_and_no_others():
    generator = np.random.default_rng(0)
    train, test = generator.normal(size=(200, 5)), generator.normal(size=(200, 5))
    by_sign = [(features[:, 0] > 0).astype(int) for features in (train, test)]
    by_parity = [(features[:, 0] * features[:, 1] > 0).astype(int) for features in (train, test)]
    assert probe_categories(train, by_sign[0], test, by_sign[1]) > 0.9
    assert probe_categories(train, by_parity[0], test, by_parity[1]) < 0.65


class Interruption:
    """Break a training off as a kill would, at the end of an epoch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: str, step: int) -> None:
        self.left = step
        self.compute = getattr(importlib.import_module(module), self.name_loss(module))
        monkeypatch.setattr(f"{module}.{self.name_loss(module)}", self)

    @staticmethod
    def name_loss(module: str) -> str:
        return "compute_contrast" if module.endswith("clip") else "compute_view_contrast"

    def __call__(self, *arguments):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self.compute(*arguments)


@pytest.mark.parametrize("kind", ["clip", "dino"])
def test_an_interrupted_training_ends_in_bitwise_the_same_weights(
    world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    images, captions = world[0][:32], world[1][:32]

    def train(output: str, scratch: Path | None) -> pd.DataFrame:
        if kind == "clip":
            options = CLIP.model_copy(update={"n_epochs": 4})
            return train_world_clip(
                images, captions, options, 0, tmp_path / output, scratch=scratch
            )
        options = DINO.model_copy(update={"n_epochs": 4})
        return train_world_dino(images, options, 0, tmp_path / output, scratch=scratch)

    expected = train("whole", None)
    for step in (4, 3):
        # Two steps an epoch: stopped inside the second and inside the third one.
        with monkeypatch.context() as patch:
            Interruption(patch, f"brainalign.features.world_backbones.{kind}", step)
            with pytest.raises(KeyboardInterrupt):
                train("broken", tmp_path / "scratch")
    assert len(list((tmp_path / "scratch").rglob("epoch_*.json"))) == 2
    history = train("resumed", tmp_path / "scratch")
    pd.testing.assert_frame_equal(history, expected)
    whole, resumed = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole", "resumed")
    )
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name
