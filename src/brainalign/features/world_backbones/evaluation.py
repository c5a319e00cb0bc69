"""Show that a world backbone learned something: zero-shot accuracy and linear probes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoTokenizer, CLIPModel

from brainalign.features.backbone import Backbone
from brainalign.features.extraction import extract_features
from brainalign.features.pixels import PixelsBackbone
from brainalign.features.pretrained import load_pretrained
from brainalign.features.quiet import quiet_transformers
from brainalign.features.world_backbones.captions import build_prompts

_RIDGE_PENALTIES = tuple(10.0**exponent for exponent in range(-4, 5))
_N_FOLDS = 5
_N_PIXEL_CELLS = 8  # along each side
_CPU = torch.device("cpu")


def evaluate_world_backbone(
    folder: Path,
    training_images: np.ndarray,
    training_categories: Sequence[str],
    heldout_images: np.ndarray,
    heldout_categories: Sequence[str],
    captions: Sequence[str] | None = None,
) -> dict[str, float]:
    """Compare a trained backbone with chance and with pixels, and write ``evaluation.json``.

    Parameters
    ----------
    folder : path
        Of a trained backbone; receives the file.
    training_images, heldout_images : array of shape (n_images, y, x, 3), uint8
        Images of one object each.
    training_categories, heldout_categories : sequence of str
        Category of each image.
    captions : sequence of str, optional
        Training captions, of which prompts are made; given for a CLIP only.

    Returns
    -------
    evaluation : dict of str to float
        ``chance``, ``probe_accuracy`` and ``pixel_probe_accuracy`` on the held-out images,
        with captions also ``zero_shot_accuracy``.

    Notes
    -----
    The probe is ridge regression onto category indicators from CLS and mean of the last layer;
    its penalty is chosen by cross-validation within the training images. Pixels get the same
    probe on luminance and contrast in an 8 x 8 grid.
    """
    known, training_labels = np.unique(np.asarray(training_categories), return_inverse=True)
    heldout_labels = np.searchsorted(known, np.asarray(heldout_categories))
    backbone = load_pretrained(str(folder), None, _CPU)
    pixels = PixelsBackbone(_N_PIXEL_CELLS, _CPU)
    evaluation = {"chance": 1 / len(known)}
    probes: list[tuple[str, Backbone, Sequence[int | str]]] = [
        ("probe_accuracy", backbone, [-1]),
        ("pixel_probe_accuracy", pixels, ["grid"]),
    ]
    for name, model, layers in probes:
        evaluation[name] = probe_categories(
            _extract_all(model, training_images, layers),
            training_labels,
            _extract_all(model, heldout_images, layers),
            heldout_labels,
        )
    if captions is not None:
        evaluation["zero_shot_accuracy"] = measure_zero_shot(
            folder, heldout_images, heldout_categories, build_prompts(captions, known.tolist())
        )
    path = folder / "evaluation.json"
    path.write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
    return evaluation


def _extract_all(backbone: Backbone, images: np.ndarray, layers: Sequence[int | str]) -> np.ndarray:
    features = extract_features(images, backbone, layers, ["cls", "mean"])
    return np.concatenate(list(features.values()), axis=1)


def measure_zero_shot(
    folder: Path,
    images: np.ndarray,
    categories: Sequence[str],
    prompts: dict[str, list[str]],
) -> float:
    """Classify images by their most probable prompts.

    Parameters
    ----------
    folder : path
        Of a CLIP with its tokenizer.
    images : array of shape (n_images, y, x, 3), uint8
        Images that were not trained on.
    categories : sequence of str
        True category of each image.
    prompts : dict of str to list of str
        Sentences per category, equally many for each.

    Returns
    -------
    accuracy : float
        Fraction of images whose own category is the most probable one.

    Notes
    -----
    The probability of a category is the sum over its sentences of the softmax over all
    sentences. Averaging embeddings instead is nearly as good for a large CLIP (Radford et al.
    2021) but not for one whose every caption names colour and background.
    """
    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = CLIPModel.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    model.eval()
    names = sorted(prompts)
    sentences = [prompt for name in names for prompt in prompts[name]]
    tokens = tokenizer(sentences, padding=True, return_tensors="pt")
    with torch.inference_mode():
        text = model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        scale = model.logit_scale.exp()
    backbone = load_pretrained(str(folder), None, _CPU)
    embedding = extract_features(images, backbone, ["projection"])["projection/embedding"]
    image = functional.normalize(torch.from_numpy(embedding), dim=1)
    logits = scale * image @ functional.normalize(text, dim=1).T
    score = logits.view(len(images), len(names), -1).logsumexp(dim=2)
    chosen = np.asarray(names)[score.argmax(dim=1).numpy()]
    return float((chosen == np.asarray(categories)).mean())


def probe_categories(
    training_features: np.ndarray,
    training_labels: np.ndarray,
    heldout_features: np.ndarray,
    heldout_labels: np.ndarray,
) -> float:
    """Fit a linear classifier and measure it on other images.

    Parameters
    ----------
    training_features, heldout_features : array of shape (n_images, n_features)
        Standardised by the training images' mean and standard deviation.
    training_labels, heldout_labels : array of shape (n_images,), int
        Number of the category.

    Returns
    -------
    accuracy : float
        Fraction of held-out images whose category is right.
    """
    mean = training_features.mean(axis=0)
    std = training_features.std(axis=0) + 1e-8
    train = (training_features - mean) / std
    folds = np.arange(len(train)) % _N_FOLDS
    accuracies = np.zeros(len(_RIDGE_PENALTIES))
    for fold in range(_N_FOLDS):
        inside = folds != fold
        for number, penalty in enumerate(_RIDGE_PENALTIES):
            predicted = _classify(train[inside], training_labels[inside], train[~inside], penalty)
            accuracies[number] += (predicted == training_labels[~inside]).mean()
    penalty = _RIDGE_PENALTIES[int(accuracies.argmax())]
    predicted = _classify(train, training_labels, (heldout_features - mean) / std, penalty)
    return float((predicted == heldout_labels).mean())


def _classify(
    train: np.ndarray, labels: np.ndarray, other: np.ndarray, penalty: float
) -> np.ndarray:
    """Return the category with the largest ridge prediction of its indicator."""
    indicators = np.eye(labels.max() + 1)[labels]
    offset = indicators.mean(axis=0)
    center = train.mean(axis=0)
    centered = (train - center).astype(np.float64)
    gram = centered.T @ centered / len(train) + penalty * np.eye(train.shape[1])
    weights = np.linalg.solve(gram, centered.T @ (indicators - offset) / len(train))
    return ((other - center) @ weights + offset).argmax(axis=1)
