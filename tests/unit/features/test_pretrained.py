"""Layers equal those of `transformers`, and damaged or hostile checkpoints are refused."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from brainalign.errors import CorruptDataError, InputError, ResourceError
from brainalign.features.architectures import pool_map
from brainalign.features.extraction import extract_features
from brainalign.features.pretrained import load_pretrained
from unit.features.tiny_checkpoints import BUILDERS, N_LAYERS, build_clip, save_checkpoint

CPU = torch.device("cpu")
TOKEN_ARCHITECTURES = ["clip", "dinov2", "dinov2_with_registers", "vit"]


def load(folder: Path):
    return load_pretrained(str(folder), None, CPU)


def compute_hidden_states(
    name: str, model: PreTrainedModel, pixels: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    vision = {"clip": "vision_model", "vit": "vit"}.get(name)
    tower = model if vision is None else getattr(model, vision)
    with torch.no_grad():
        return tower(pixel_values=pixels, output_hidden_states=True).hidden_states


@pytest.mark.parametrize("name", TOKEN_ARCHITECTURES)
def test_layers_equal_the_hidden_states_of_transformers(name, models, checkpoints, images):
    backbone = load(checkpoints[name])
    layers = list(range(N_LAYERS + 1))
    features = extract_features(images, backbone, layers, ["cls", "mean", "token"])
    pixels = backbone.preprocessing.apply(torch.from_numpy(images))
    hidden_states = compute_hidden_states(name, models[name], pixels)
    n_prefix = 5 if name == "dinov2_with_registers" else 1
    assert len(hidden_states) == N_LAYERS + 1
    for number, hidden in enumerate(hidden_states):
        patches = hidden[:, n_prefix:].numpy()
        assert patches.shape[1] == 16
        np.testing.assert_allclose(features[f"layer_{number}/cls"], hidden[:, 0], atol=1e-5)
        np.testing.assert_allclose(features[f"layer_{number}/token"], patches, atol=1e-5)
        np.testing.assert_allclose(features[f"layer_{number}/mean"], patches.mean(1), atol=1e-5)


def test_resnet_stages_equal_the_hidden_states_of_transformers(models, checkpoints, images):
    backbone = load(checkpoints["resnet"])
    features = extract_features(images, backbone, [0, 1, 2, 3], ["mean", "token"])
    pixels = backbone.preprocessing.apply(torch.from_numpy(images))
    for number, hidden in enumerate(compute_hidden_states("resnet", models["resnet"], pixels)):
        positions = hidden.flatten(2).transpose(1, 2).numpy()
        np.testing.assert_allclose(features[f"stage_{number}/token"], positions, atol=1e-5)
        np.testing.assert_allclose(features[f"stage_{number}/mean"], positions.mean(1), atol=1e-5)


def test_projection_equals_the_image_features_of_clip(models, checkpoints, images):
    backbone = load(checkpoints["clip"])
    features = extract_features(images, backbone, ["projection"])
    pixels = backbone.preprocessing.apply(torch.from_numpy(images))
    with torch.no_grad():
        expected = models["clip"].get_image_features(pixels).pooler_output
    assert list(features) == ["projection/embedding"]
    np.testing.assert_allclose(features["projection/embedding"], expected, atol=1e-5)


def test_the_text_tower_of_clip_is_not_loaded(checkpoints):
    names = [name for name, _ in load(checkpoints["clip"]).module.named_parameters()]
    assert not any("text" in name for name in names)


def test_negative_layers_count_from_the_end(checkpoints):
    backbone = load(checkpoints["dinov2"])
    assert backbone.list_paths([-1, -4], ["cls"]) == ["layer_0/cls", "layer_3/cls"]


def test_a_layer_named_twice_is_computed_once(checkpoints):
    backbone = load(checkpoints["dinov2"])
    assert backbone.list_paths([3, -1, "layer_3"], ["cls"]) == ["layer_3/cls"]


@pytest.mark.parametrize("layer", [4, -5, "layer_9", "projection", "stage_1"])
def test_a_layer_that_does_not_exist_is_refused(layer, checkpoints):
    with pytest.raises(InputError, match="has no layer"):
        load(checkpoints["vit"]).list_paths([layer], ["cls"])


def test_a_resnet_has_no_cls_token(checkpoints):
    with pytest.raises(InputError, match=r"no output 'cls'.*map, mean, token"):
        load(checkpoints["resnet"]).list_paths([1], ["cls"])


@pytest.mark.parametrize("name", list(BUILDERS))
def test_nothing_beyond_the_deepest_layer_is_computed(name, checkpoints, images):
    backbone = load(checkpoints[name])
    walker = backbone._walker
    blocks = (
        backbone.module.encoder.stages if name == "resnet" else walker.list_blocks(backbone.module)
    )
    called = []
    for number, block in enumerate(blocks, start=1):
        block.register_forward_hook(lambda *_, number=number: called.append(number))
    extract_features(images, backbone, [0, 2], ["mean"])
    assert called == [1, 2]


@pytest.mark.parametrize("name", list(BUILDERS))
def test_bf16_stays_near_fp32(name, checkpoints, images):
    backbone = load(checkpoints[name])
    exact = extract_features(images, backbone, [-1], ["mean"], precision="fp32")
    rounded = extract_features(images, backbone, [-1], ["mean"], precision="bf16")
    again = extract_features(images, backbone, [-1], ["mean"], precision="fp32")
    for path, expected in exact.items():
        assert rounded[path].dtype == np.float32
        assert 0 < np.abs(rounded[path] - expected).max() < 0.05 * np.abs(expected).max()
        np.testing.assert_array_equal(again[path], expected)


def test_the_description_holds_digest_and_preprocessing(checkpoints):
    folder = checkpoints["clip"]
    description = load(folder).describe()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert description["weights_sha256"] == digest
    assert description["preprocessing"]["mean"] == [0.4, 0.5, 0.6]
    assert (description["architecture"], description["n_layers"]) == ("clip", N_LAYERS)
    json.dumps(description)


class _Payload:
    """Unpickling this makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_a_pickle_is_refused_and_its_payload_does_not_run(name, clip_folder, tmp_path):
    trace = tmp_path / "payload-ran"
    (clip_folder / "model.safetensors").unlink()
    (clip_folder / name).write_bytes(pickle.dumps(_Payload(trace)))
    with pytest.raises(InputError, match=f"{name}.*Convert") as caught:
        load(clip_folder)
    assert not trace.exists()
    assert caught.value.exit_code == 2
    pickle.loads((clip_folder / name).read_bytes())
    assert trace.exists(), "the payload is harmless, so the test proved nothing"


def test_a_pickle_beside_safetensors_is_not_opened(clip_folder, tmp_path):
    trace = tmp_path / "payload-ran"
    (clip_folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Payload(trace)))
    load(clip_folder)
    assert not trace.exists()


def test_a_pickle_named_safetensors_is_refused(clip_folder, tmp_path):
    trace = tmp_path / "payload-ran"
    (clip_folder / "model.safetensors").write_bytes(pickle.dumps(_Payload(trace)))
    with pytest.raises(CorruptDataError, match="damaged"):
        load(clip_folder)
    assert not trace.exists()


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_file_that_an_index_or_the_configuration_names_is_not_opened(
    clip_folder, tmp_path, monkeypatch
):
    trace = tmp_path / "payload-ran"
    weights = clip_folder / "model.safetensors"
    names = list(load_file(weights))
    weights.rename(clip_folder / "model-00001-of-00001.safetensors")
    (clip_folder / "shard.bin").write_bytes(pickle.dumps(_Payload(trace), protocol=2))
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "shard.bin")}
    (clip_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    edit_json(clip_folder / "config.json", transformers_weights="shard.bin")
    opened: list[object] = []
    monkeypatch.setattr(torch, "load", lambda *arguments, **options: opened.append(arguments))
    assert load(clip_folder).n_layers == N_LAYERS
    assert not opened
    assert not trace.exists()


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_a_checkpoint_with_its_own_code_is_refused(name, clip_folder, tmp_path):
    trace = tmp_path / "code-ran"
    (clip_folder / "modeling.py").write_text(f"import os; os.mkdir({str(trace)!r})")
    edit_json(clip_folder / name, auto_map={"AutoModel": "modeling.Model"})
    with pytest.raises(InputError, match="own code"):
        load(clip_folder)
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 7, 500, -1])
def test_truncated_weights_are_corrupt_data(kept, clip_folder):
    path = clip_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CorruptDataError, match=r"model\.safetensors.*damaged or cut short"):
        load(clip_folder)


def test_weights_that_are_not_finite_are_corrupt_data(clip_folder):
    path = clip_folder / "model.safetensors"
    weights = load_file(path)
    weights["visual_projection.weight"][0, 0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CorruptDataError, match=r"not finite.*visual_projection"):
        load(clip_folder)


def test_weights_of_another_width_are_refused_with_both_shapes(clip_folder, tmp_path):
    other = save_checkpoint(build_clip(hidden_size=24), tmp_path / "wide")
    shutil.copy(other / "model.safetensors", clip_folder / "model.safetensors")
    with pytest.raises(InputError, match=r"disagree.*16.*24"):
        load(clip_folder)


def test_missing_weights_are_refused_rather_than_drawn_at_random(clip_folder):
    path = clip_folder / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(path).items() if "layers.1" not in name}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"missing from the weights.*layers\.1"):
        load(clip_folder)


def test_an_unknown_architecture_names_the_nearest(clip_folder):
    edit_json(clip_folder / "config.json", model_type="dino_v2")
    with pytest.raises(InputError, match="Did you mean 'dinov2'"):
        load(clip_folder)


def test_a_configuration_that_is_no_json_is_corrupt_data(clip_folder):
    (clip_folder / "config.json").write_text('{"model_type": ')
    with pytest.raises(CorruptDataError, match="no JSON"):
        load(clip_folder)


def test_a_missing_preprocessor_configuration_is_named(clip_folder):
    (clip_folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"preprocessor_config\.json is missing"):
        load(clip_folder)


def test_a_folder_that_does_not_exist_is_no_hub_id(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "absent")


def test_an_unreachable_hub_ends_in_one_line(monkeypatch, tmp_path):
    def refuse(*arguments, local_files_only=False, **options):
        raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr("brainalign.features.checkpoint.snapshot_download", refuse)
    with pytest.raises(ResourceError, match="hub can't be reached") as caught:
        load_pretrained("some/model", "main", CPU)
    assert "\n" not in str(caught.value)
    assert "HF_HUB_OFFLINE" in str(caught.value)


def test_a_complete_cache_needs_no_network(monkeypatch, checkpoints):
    def find_cached(*arguments, local_files_only=False, **options):
        assert local_files_only
        return str(checkpoints["clip"])

    monkeypatch.setattr("brainalign.features.checkpoint.snapshot_download", find_cached)
    assert load_pretrained("some/model", None, CPU).name == "some/model"


def test_a_local_folder_causes_no_network_call(monkeypatch, checkpoints):
    def refuse(*arguments, **options):
        raise AssertionError("network call")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load(checkpoints["clip"])


@pytest.mark.parametrize("name", TOKEN_ARCHITECTURES)
def test_a_map_with_one_patch_per_part_holds_the_patches_row_by_row(name, checkpoints, images):
    features = extract_features(images, load(checkpoints[name]), [2], ["map", "token"])
    tokens = features["layer_2/token"]
    assert tokens.shape[1] == 16
    np.testing.assert_allclose(features["layer_2/map"], tokens.reshape(len(tokens), -1), atol=1e-6)


def test_a_map_averages_parts_and_keeps_where_they_are():
    rows = torch.arange(8.0)[:, None].expand(8, 8)
    pooled = pool_map(torch.stack([rows, rows.T])[None]).reshape(4, 4, 2)
    centres = torch.tensor([0.5, 2.5, 4.5, 6.5])
    torch.testing.assert_close(pooled[..., 0], centres[:, None].expand(4, 4))
    torch.testing.assert_close(pooled[..., 1], centres[None].expand(4, 4))
