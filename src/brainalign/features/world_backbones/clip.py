"""Train a small CLIP on images and captions (Radford et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from brainalign.errors import InputError
from brainalign.features.preprocessing import Preprocessing, read_preprocessing
from brainalign.features.world_backbones.augmentation import jitter_brightness, shift_images
from brainalign.features.world_backbones.captions import build_tokenizer, mirror_caption
from brainalign.features.world_backbones.options import CLIPTrainingOptions
from brainalign.features.world_backbones.training import (
    Optimisation,
    build_preprocessor_configuration,
    check_training_images,
    count_steps,
    iterate_epochs,
    open_checkpoints,
    save_backbone,
    seeded_initialisation,
    summarise_epochs,
)
from brainalign.progress import show_progress

# exp(logit_scale) is kept below 100, as in the paper.
_MAXIMUM_LOGIT_SCALE = 4.6052


def train_world_clip(
    images: np.ndarray,
    captions: Sequence[Sequence[str]],
    options: CLIPTrainingOptions,
    seed: int,
    folder: Path,
    device: str | torch.device = "cpu",
    progress: bool = False,
    scratch: Path | None = None,
) -> pd.DataFrame:
    """Train both towers from scratch and save them.

    Parameters
    ----------
    images : array of shape (n_images, side, side, 3), uint8
        Images of the training split only.
    captions : sequence of sequence of str
        For each image as many captions, of which each step draws one.
    options : CLIPTrainingOptions
        Shape and training.
    seed : int
        Of initial weights, order and augmentation; on one CPU thread it fixes the weights.
    folder : path
        Receives ``model.safetensors``, ``config.json``, ``preprocessor_config.json``, the
        tokenizer and ``training.csv``.
    device : str or torch.device
        Where to train.
    progress : bool
        Whether to show progress.
    scratch : path, optional
        Folder for resume checkpoints, one per epoch; a training that was killed goes on there.

    Returns
    -------
    history : DataFrame
        Per epoch ``loss`` (nats) and ``accuracy`` (fraction of images whose own caption wins).

    Raises
    ------
    InputError
        If images and captions do not fit together or the training diverges.

    Notes
    -----
    Captions of a small grammar repeat. Equal captions in a batch share the target, else the
    loss would push apart what is the same. Images are shifted a little, change in brightness
    and are mirrored together with the words left and right of their caption; colours stay,
    because the captions name them.
    """
    check_training_images(images)
    if len(captions) != len(images):
        raise InputError(
            "images and captions differ in number", expected=len(images), found=len(captions)
        )
    sentences, n_each = _list_sentences(captions)
    tokenizer = build_tokenizer(sentences)
    with seeded_initialisation(seed):
        model: Any = CLIPModel(build_configuration(options, tokenizer))
    model.to(device).train()
    configuration = build_preprocessor_configuration(options.image_size)
    preprocessing = read_preprocessing(configuration, "preprocessor_config.json")
    pairs = _Pairs(images, sentences, n_each, tokenizer, preprocessing, options.maximum_shift)

    generator = torch.Generator().manual_seed(seed)
    n_steps = count_steps(len(images), options)
    optimisation = Optimisation(model, options, n_steps)
    records: list[dict[str, float]] = []
    identity = ["world_clip", options.model_dump(mode="json"), seed, sentences, images]
    with open_checkpoints(
        scratch, identity, model, optimisation, generator, records
    ) as checkpoints:
        batches = iterate_epochs(len(images), options, generator, checkpoints)
        if progress:
            batches = show_progress(batches, "training world_clip, steps", n_steps)
        for epoch, rows in batches:
            inputs, caption_ids = pairs.draw(rows, generator)
            output = model(**{name: tensor.to(device) for name, tensor in inputs.items()})
            loss, accuracy = compute_contrast(output.logits_per_image, caption_ids.to(device))
            optimisation.step(loss)
            with torch.no_grad():
                model.logit_scale.clamp_(max=_MAXIMUM_LOGIT_SCALE)
            records.append({"epoch": epoch, "loss": loss.item(), "accuracy": accuracy.item()})
    history = summarise_epochs(records)
    save_backbone(model.eval(), configuration, history, folder)
    tokenizer.save_pretrained(folder)
    return history


def _list_sentences(captions: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """List all captions image by image, each followed by that of the mirror image."""
    numbers = {len(texts) for texts in captions}
    if len(numbers) != 1 or 0 in numbers or isinstance(captions[0], str):
        raise InputError(
            "images must have equally many captions",
            where="captions",
            expected="a list of captions per image",
            found=f"lengths {sorted(numbers)}",
        )
    sentences = [
        sentence
        for texts in captions
        for text in texts
        for sentence in (text, mirror_caption(text))
    ]
    return sentences, numbers.pop()


class _Pairs:
    """Images with a caption each, varied anew at every draw."""

    def __init__(
        self,
        images: np.ndarray,
        sentences: list[str],
        n_each: int,
        tokenizer: PreTrainedTokenizerFast,
        preprocessing: Preprocessing,
        maximum_shift: int,
    ) -> None:
        self._images = torch.from_numpy(np.ascontiguousarray(images))
        self._texts = tokenizer(sentences, padding=True, return_tensors="pt")
        self._n_each = n_each
        self._caption_ids = torch.from_numpy(
            np.unique(np.asarray(sentences), return_inverse=True)[1]
        )
        self._preprocessing = preprocessing
        self._maximum_shift = maximum_shift

    def draw(
        self, rows: torch.Tensor, generator: torch.Generator
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the inputs of a CLIP and numbers that are equal for equal captions."""
        views = self._preprocessing.apply(self._images[rows])
        views = shift_images(views, self._maximum_shift, generator)
        views = jitter_brightness(views, generator)
        mirrored = torch.rand(len(rows), generator=generator) < 0.5
        views[mirrored] = views[mirrored].flip(-1)
        drawn = torch.randint(self._n_each, (len(rows),), generator=generator)
        shown = (rows * self._n_each + drawn) * 2 + mirrored
        inputs = {
            "pixel_values": views,
            "input_ids": self._texts["input_ids"][shown],
            "attention_mask": self._texts["attention_mask"][shown],
        }
        return inputs, self._caption_ids[shown]


def build_configuration(
    options: CLIPTrainingOptions, tokenizer: PreTrainedTokenizerFast
) -> CLIPConfig:
    """Describe both towers.

    Parameters
    ----------
    options : CLIPTrainingOptions
        Shape.
    tokenizer : PreTrainedTokenizerFast
        Size of the vocabulary, longest caption and special words.

    Returns
    -------
    configuration : CLIPConfig
        Towers of the same width.
    """
    tower = {
        "hidden_size": options.hidden_size,
        "intermediate_size": 4 * options.hidden_size,
        "num_attention_heads": options.n_heads,
        "projection_dim": options.projection_size,
    }
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    text = {
        "num_hidden_layers": options.n_text_layers,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": tokenizer.model_max_length,
    }
    vision = {
        "num_hidden_layers": options.n_layers,
        "image_size": options.image_size,
        "patch_size": options.patch_size,
    }
    return CLIPConfig(
        text_config={**tower, **special, **text},
        vision_config={**tower, **vision},
        projection_dim=options.projection_size,
    )


def compute_contrast(
    logits: torch.Tensor, caption_ids: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the symmetric contrastive loss with shared targets for equal captions.

    Parameters
    ----------
    logits : tensor of shape (n_images, n_captions)
        Scaled similarities; image i belongs to caption i.
    caption_ids : tensor of shape (n_captions,), int64
        Equal for equal captions.

    Returns
    -------
    loss : tensor of shape ()
        Mean cross-entropy of both directions in nats.
    accuracy : tensor of shape ()
        Fraction of images whose most similar caption is its own or an equal one.
    """
    same = (caption_ids[:, None] == caption_ids[None]).float()
    targets = same / same.sum(dim=1, keepdim=True)
    loss = functional.cross_entropy(logits, targets) + functional.cross_entropy(logits.T, targets)
    accuracy = same.gather(1, logits.argmax(dim=1, keepdim=True)).mean()
    return loss / 2, accuracy
