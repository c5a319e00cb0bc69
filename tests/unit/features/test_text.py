from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPModel

from brainalign.errors import InputError
from brainalign.features.quiet import quiet_transformers
from brainalign.features.text import embed_captions
from brainalign.features.world_backbones.captions import build_tokenizer
from unit.features.tiny_checkpoints import BUILDERS, build_clip, save_checkpoint

CAPTIONS = ["a red car", "", "a cat", "a red car", "  "]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = save_checkpoint(build_clip(), tmp_path_factory.mktemp("clip") / "model")
    build_tokenizer([text for text in CAPTIONS if text.strip()]).save_pretrained(folder)
    return folder


def test_features_of_captions_equal_those_of_the_whole_model(checkpoint: Path):
    found = embed_captions(checkpoint, CAPTIONS, CPU)
    with quiet_transformers():
        model = CLIPModel.from_pretrained(checkpoint).eval()
    tokens = build_tokenizer(["a red car", "a cat"])(["a cat"], return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
    np.testing.assert_allclose(found[2], expected[0].numpy(), atol=1e-5)


def test_equal_captions_have_equal_features_and_empty_ones_none(checkpoint: Path):
    found = embed_captions(checkpoint, CAPTIONS, CPU)
    np.testing.assert_array_equal(found[0], found[3])
    assert np.isnan(found[[1, 4]]).all()
    assert np.isfinite(found[[0, 2, 3]]).all()


def test_captions_that_are_too_long_are_cut(checkpoint: Path):
    assert np.isfinite(embed_captions(checkpoint, ["a red car " * 50], CPU)).all()


def test_a_checkpoint_without_text_tower_is_refused(tmp_path: Path):
    folder = save_checkpoint(BUILDERS["vit"](), tmp_path / "vit")
    with pytest.raises(InputError, match=r"no text tower.*text: false"):
        embed_captions(folder, CAPTIONS, CPU)


def test_a_checkpoint_without_tokenizer_is_refused(tmp_path: Path):
    folder = save_checkpoint(build_clip(), tmp_path / "clip")
    with pytest.raises(InputError, match="no tokenizer"):
        embed_captions(folder, CAPTIONS, CPU)
