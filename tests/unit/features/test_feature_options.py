"""Options are closed, and names that do not exist get the nearest one."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from brainalign.errors import InputError, ResourceError
from brainalign.features.options import (
    BACKBONE_OPTIONS,
    PixelsOptions,
    WorldCLIPOptions,
    WorldDINOOptions,
    read_backbone_options,
)
from brainalign.features.registry import BACKBONES, load_backbone


def test_an_unknown_backbone_names_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'pretrained'"):
        read_backbone_options({"kind": "pretraind", "model": "a/b"})


def test_the_kind_chooses_the_options():
    options = read_backbone_options(
        {"kind": "pretrained", "model": "a/b", "layers": [-1], "alignment": "layer_3/mean"}
    )
    assert (options.kind, options.model, options.revision) == ("pretrained", "a/b", None)


def test_every_kind_of_options_has_a_loader():
    assert set(BACKBONES) == set(BACKBONE_OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batchsize": 3}, "batchsize"),
        ({"batch_size": "3"}, "batch_size"),
        ({"layers": []}, "layers"),
        ({"outputs": ["patch"]}, "outputs"),
        ({"alignment": "layer_12"}, "no path"),
        ({"alignment": "layer_2/cls", "layers": [1]}, "not among the layers"),
        ({"alignment": "layer_1/token", "layers": [1]}, "needs 'token'"),
        ({"alignment": "projection/embedding", "layers": [1]}, "needs 'projection'"),
    ],
)
def test_wrong_options_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        read_backbone_options({"kind": "pretrained", "model": "a/b", **change})


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(InputError, match="n_heads"):
        read_backbone_options({"kind": "world_clip", "training": {"hidden_size": 101}})


def test_options_load_without_torch():
    code = "import sys, brainalign.features.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("options", [WorldCLIPOptions(), WorldDINOOptions()])
def test_a_world_backbone_needs_the_folder_it_was_trained_into(options):
    with pytest.raises(InputError, match="trained first"):
        load_backbone(options)


def test_a_world_backbone_loads_like_a_published_one(checkpoints):
    backbone = load_backbone(WorldDINOOptions(), checkpoints["dinov2"])
    assert backbone.describe()["architecture"] == "dinov2"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_a_missing_resource():
    with pytest.raises(ResourceError, match="no CUDA device"):
        load_backbone(PixelsOptions(), device="cuda")
