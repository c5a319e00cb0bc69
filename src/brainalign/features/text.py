"""Features of captions by the text tower of a CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, CLIPTextModelWithProjection

from brainalign.errors import CorruptDataError, InputError
from brainalign.features.architectures import Tower
from brainalign.features.checkpoint import check_weight_files, read_configuration
from brainalign.features.pretrained import load_module
from brainalign.features.quiet import quiet_transformers

TEXT_PATH = "text/pooled"
"""Where the features of captions stand in a feature store."""


class _CLIPText(Tower):
    """Text tower of CLIP; the image tower is not loaded."""

    model_class = CLIPTextModelWithProjection
    skipped_prefixes = ("vision_model.", "visual_projection.", "logit_scale")

    def count_layers(self, model: Any) -> int:
        """Return the number of transformer layers."""
        return len(model.text_model.encoder.layers)


def embed_captions(
    folder: Path, captions: Sequence[str], device: torch.device, batch_size: int = 64
) -> np.ndarray:
    """Embed captions in the space that a CLIP shares between images and text.

    Parameters
    ----------
    folder : path
        Checkpoint with both towers and its tokenizer.
    captions : sequence of str
        One per stimulus; empty ones have no features. Longer ones than the tower reads are cut.
    device : torch.device
        Where to compute, in float32.
    batch_size : int
        Distinct captions per forward pass.

    Returns
    -------
    features : array of shape (n_captions, dimension), float32
        The projected embedding, not of unit length; NaN for empty captions.

    Raises
    ------
    InputError
        The checkpoint has no text tower or no tokenizer.
    CorruptDataError
        A feature is not finite.
    """
    kind = str(read_configuration(folder, "config.json").get("model_type"))
    if kind != "clip":
        raise InputError(
            "the checkpoint has no text tower",
            where=folder,
            expected="model_type clip",
            found=kind,
            remedy="Set text: false for this backbone.",
        )
    module: Any = load_module(_CLIPText(), folder, check_weight_files(folder)).to(device)
    tokenizer = _load_tokenizer(folder)
    distinct = sorted({str(text) for text in captions if str(text).strip()})
    parts = []
    with torch.inference_mode():
        for start in range(0, len(distinct), batch_size):
            tokens = tokenizer(
                distinct[start : start + batch_size],
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            output = module(
                input_ids=tokens["input_ids"].to(device),
                attention_mask=tokens["attention_mask"].to(device),
            )
            parts.append(output.text_embeds.float().cpu().numpy())
    dimension = int(module.config.projection_dim)
    found = np.concatenate(parts) if parts else np.empty((0, dimension), np.float32)
    if not np.isfinite(found).all():
        raise CorruptDataError("features are not finite", where=TEXT_PATH)
    row = {text: number for number, text in enumerate(distinct)}
    features = np.full((len(captions), dimension), np.nan, dtype=np.float32)
    for position, text in enumerate(captions):
        if str(text) in row:
            features[position] = found[row[str(text)]]
    return features


def _load_tokenizer(folder: Path) -> Any:
    # Without these files transformers makes a tokenizer that knows no word, and says nothing.
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise InputError(
            "the checkpoint has no tokenizer",
            where=folder,
            expected="tokenizer.json, or vocab.json and merges.txt",
            remedy="Put it beside the weights, or set text: false for this backbone.",
        )
    with quiet_transformers():
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
