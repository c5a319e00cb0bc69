"""Train a small CLIP on images and captions (Radford et al. 2021)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from brainalign.errors import InputError
from brainalign.features.world_backbones.augmentation import jitter_brightness, shift_images
from brainalign.features.world_backbones.captions import build_tokenizer, mirror_caption
from brainalign.features.world_backbones.options import CLIPTrainingOptions
from brainalign.features.world_backbones.training import (
    Optimisation,
    build_preprocessing,
    check_training_images,
    count_steps,
    iterate_epochs,
    save_backbone,
    seeded_initialisation,
    summarise_epochs,
)

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
        Whether to show a progress bar.

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
    preprocessing = build_preprocessing(options.image_size)
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    texts = tokenizer(sentences, padding=True, return_tensors="pt")
    caption_ids = torch.from_numpy(np.unique(np.asarray(sentences), return_inverse=True)[1])

    generator = torch.Generator().manual_seed(seed)
    n_steps = count_steps(len(images), options)
    optimisation = Optimisation(model, options, n_steps)
    records: list[dict[str, float]] = []
    batches = iterate_hard_batches(captions, options, generator)
    for epoch, rows in tqdm(batches, total=n_steps, desc="world_clip", disable=not progress):
        views = preprocessing.apply(pixels[rows])
        views = shift_images(views, options.maximum_shift, generator)
        views = jitter_brightness(views, generator)
        mirrored = torch.rand(len(rows), generator=generator) < 0.5
        views[mirrored] = views[mirrored].flip(-1)
        drawn = torch.randint(n_each, (len(rows),), generator=generator)
        texts_shown = (rows * n_each + drawn) * 2 + mirrored
        words = hide_words(
            texts["input_ids"][texts_shown], tokenizer, options.word_dropout, generator
        )
        output = model(
            input_ids=words.to(device),
            attention_mask=texts["attention_mask"][texts_shown].to(device),
            pixel_values=views.to(device),
        )
        loss, accuracy = compute_contrast(
            output.logits_per_image, caption_ids[texts_shown].to(device)
        )
        optimisation.step(loss)
        with torch.no_grad():
            model.logit_scale.clamp_(max=_MAXIMUM_LOGIT_SCALE)
        records.append({"epoch": epoch, "loss": loss.item(), "accuracy": accuracy.item()})
    history = summarise_epochs(records)
    save_backbone(model.eval(), preprocessing, history, folder)
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


def hide_words(
    words: torch.Tensor,
    tokenizer: PreTrainedTokenizerFast,
    probability: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Replace random words by the unknown word, so that no attribute alone tells images apart.

    Parameters
    ----------
    words : tensor of shape (n_captions, n_words), int64
        Numbers of words; start, end and padding stay.
    tokenizer : PreTrainedTokenizerFast
        Numbers of the special words.
    probability : float
        Chance of each word, independently.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    hidden : tensor of shape (n_captions, n_words), int64
        A copy.
    """
    special = torch.isin(words, torch.tensor(tokenizer.all_special_ids))
    chosen = torch.rand(words.shape, generator=generator) < probability
    return torch.where(chosen & ~special, tokenizer.unk_token_id, words)


def iterate_hard_batches(
    captions: Sequence[Sequence[str]], options: CLIPTrainingOptions, generator: torch.Generator
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield batches half of which share a word, so that they must be told apart by the others.

    Parameters
    ----------
    captions : sequence of sequence of str
        For each image.
    options : CLIPTrainingOptions
        Epochs, batch size and share of hard batches.
    generator : torch.Generator
        Source of randomness.

    Yields
    ------
    epoch : int
        From 0.
    rows : tensor of shape (n_in_batch,), int64
        Different images.
    """
    sharing = _find_sharing_images(captions, options.batch_size)
    for epoch, rows in iterate_epochs(len(captions), options, generator):
        if sharing and torch.rand((), generator=generator) < options.hard_batch_share:
            number = int(torch.randint(len(sharing), (), generator=generator))
            order = torch.randperm(len(sharing[number]), generator=generator)
            rows = sharing[number][order[: len(rows)]]
        yield epoch, rows


def _find_sharing_images(captions: Sequence[Sequence[str]], batch_size: int) -> list[torch.Tensor]:
    """List, per word of some but not most captions, the images that it describes."""
    members: dict[str, list[int]] = {}
    for row, texts in enumerate(captions):
        for word in sorted(set(re.findall(r"\w+", " ".join(texts).lower()))):
            members.setdefault(word, []).append(row)
    return [
        torch.tensor(rows)
        for _, rows in sorted(members.items())
        if batch_size <= len(rows) <= len(captions) / 2
    ]


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
