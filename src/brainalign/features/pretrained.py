"""Load vision models in the format of `transformers`, from safetensors only."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainalign.errors import CorruptDataError, InputError
from brainalign.features.architectures import ARCHITECTURES, Architecture, Tower
from brainalign.features.backbone import Backbone
from brainalign.features.checkpoint import (
    check_weight_files,
    digest_files,
    find_checkpoint,
    read_configuration,
    read_preprocessor_configuration,
    read_weights,
)
from brainalign.features.preprocessing import Preprocessing, read_preprocessing
from brainalign.features.quiet import quiet_transformers
from brainalign.options import suggest_name


def load_pretrained(model: str, revision: str | None, device: torch.device) -> PretrainedBackbone:
    """Load a vision model by id or folder.

    Parameters
    ----------
    model : str
        Id on a hub or a local folder.
    revision : str or None
        Commit, tag or branch on the hub.
    device : torch.device
        Where it will compute.

    Returns
    -------
    backbone : PretrainedBackbone
        In evaluation mode, float32.

    Raises
    ------
    InputError
        If the architecture is unknown, weights are missing, have other shapes than the
        configuration says or are no safetensors, or the checkpoint brings code.
    CorruptDataError
        If a file is damaged or weights are not finite.
    ResourceError
        If the hub can't be reached.
    """
    folder = find_checkpoint(model, revision)
    configuration = read_configuration(folder, "config.json")
    files = check_weight_files(folder)
    kind = str(configuration.get("model_type"))
    if kind not in ARCHITECTURES:
        raise InputError(
            f"the architecture '{kind}' is not supported",
            where=folder / "config.json",
            remedy=suggest_name(kind, ARCHITECTURES),
        )
    architecture = ARCHITECTURES[kind]()
    module = load_module(architecture, folder, files)
    preprocessing = read_preprocessing(*read_preprocessor_configuration(folder))
    return PretrainedBackbone(
        name=model,
        revision=revision or _read_commit(folder),
        kind=kind,
        architecture=architecture,
        module=module.to(device),
        preprocessing=preprocessing,
        weights_sha256=digest_files(files),
    )


def _read_commit(folder: Path) -> str | None:
    """Return the commit if the folder is a snapshot in the hub's cache."""
    return folder.name if folder.parent.name == "snapshots" else None


def load_module(tower: Tower, folder: Path, files: list[Path]) -> nn.Module:
    """Load the part of a checkpoint that a tower names, frozen and in float32.

    Raises
    ------
    InputError
        If weights are missing or have other shapes than the configuration says.
    CorruptDataError
        If weights are not finite.
    """
    # Weights are handed over as tensors. Given the folder, transformers would follow an index,
    # an adapter or a file name in config.json, and these may point to a pickle.
    with quiet_transformers():
        module, report = tower.model_class.from_pretrained(
            None,
            config=tower.model_class.config_class.from_pretrained(folder, local_files_only=True),
            state_dict=read_weights(files, tower.skipped_prefixes),
            # Mismatches are collected rather than raised, so that the error can name both shapes.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype=torch.float32,
            **tower.load_arguments,
        )
    _refuse_incomplete_weights(report, folder)
    for name, parameter in module.named_parameters():
        if not torch.isfinite(parameter).all():
            raise CorruptDataError("weights are not finite", where=folder, found=name)
    return module.eval().requires_grad_(False)


def _refuse_incomplete_weights(report: dict[str, Any], folder: Path) -> None:
    """Refuse a model part of which `transformers` initialised at random."""
    mismatched = sorted(report["mismatched_keys"])
    if mismatched:
        name, found, expected = mismatched[0]
        raise InputError(
            f"weights and config.json disagree on {len(mismatched)} tensors, first {name}",
            where=folder,
            expected=tuple(expected),
            found=tuple(found),
            remedy="Take weights and configuration from the same checkpoint.",
        )
    missing = sorted(name for name in report["missing_keys"] if "mask_token" not in name)
    if missing:
        raise InputError(
            f"{len(missing)} tensors are missing from the weights, first {missing[0]}",
            where=folder,
            remedy="Take weights and configuration from the same checkpoint.",
        )


class PretrainedBackbone(Backbone):
    """A frozen vision model of `transformers`.

    Parameters
    ----------
    name : str
        Id or folder.
    revision : str or None
        Commit, tag or branch.
    kind : str
        ``model_type`` of the configuration.
    architecture : Architecture
        How the model is walked.
    module : torch.nn.Module
        The model in float32.
    preprocessing : Preprocessing
        From image to input.
    weights_sha256 : str
        Digest of the weights.
    """

    def __init__(
        self,
        *,
        name: str,
        revision: str | None,
        kind: str,
        architecture: Architecture,
        module: nn.Module,
        preprocessing: Preprocessing,
        weights_sha256: str,
    ) -> None:
        self.name = name
        self.revision = revision
        self.architecture = kind
        self.preprocessing = preprocessing
        self.weights_sha256 = weights_sha256
        self.n_layers = architecture.count_layers(module)
        self.device = next(module.parameters()).device
        self._walker = architecture
        self._modules = {torch.float32: module}

    @property
    def module(self) -> nn.Module:
        """The model in float32."""
        return self._modules[torch.float32]

    def describe(self) -> dict[str, Any]:
        """Return model, revision, digest, depth and preprocessing."""
        return {
            "model": self.name,
            "architecture": self.architecture,
            "revision": self.revision,
            "weights_sha256": self.weights_sha256,
            "n_layers": self.n_layers,
            "preprocessing": self.preprocessing.describe(),
        }

    def move(self, device: torch.device) -> None:
        """Compute on this device from now on."""
        if device != self.device:
            self._modules = {torch.float32: self.module.to(device)}
            self.device = device

    def list_paths(self, layers: Sequence[int | str], outputs: Sequence[str]) -> list[str]:
        """Name the features, shallow ones first, the projection last."""
        unknown = [output for output in outputs if output not in self._walker.outputs]
        if unknown:
            raise InputError(
                f"{self.architecture} has no output '{unknown[0]}'",
                where="outputs",
                remedy=suggest_name(unknown[0], self._walker.outputs),
            )
        names = {self._find_layer(layer) for layer in layers}
        numbers = sorted(number for number in names if number is not None)
        prefix = self._walker.layer_prefix
        paths = [f"{prefix}_{number}/{output}" for number in numbers for output in outputs]
        if None in names:
            paths.append("projection/embedding")
        return list(dict.fromkeys(paths))

    def _find_layer(self, layer: int | str) -> int | None:
        """Return the number of a layer, or None for the projection."""
        if layer == "projection" and self._walker.has_projection:
            return None
        prefix = self._walker.layer_prefix
        number = layer
        if isinstance(layer, str):
            match = re.fullmatch(rf"{prefix}_(\d+)", layer)
            number = int(match[1]) if match else layer
        if isinstance(number, int) and -self.n_layers - 1 <= number <= self.n_layers:
            return number % (self.n_layers + 1)
        known = [f"{prefix}_{known}" for known in range(self.n_layers + 1)]
        known += ["projection"] if self._walker.has_projection else []
        raise InputError(
            f"{self.name} has no layer {layer!r}",
            where="layers",
            expected=f"numbers from {-self.n_layers - 1} to {self.n_layers} or names",
            remedy=suggest_name(str(layer), known),
        )

    def compute(
        self, images: torch.Tensor, paths: Sequence[str], dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Walk the layers up to the deepest one asked for, and pool on the device."""
        module = self._get_module(dtype)
        wanted, projects = _group_by_layer(paths)
        deepest = self.n_layers if projects else max(wanted)
        pixels = self.preprocessing.apply(images).to(dtype)
        features: dict[str, torch.Tensor] = {}
        for number, hidden in enumerate(self._walker.walk(module, pixels)):
            for path, output in wanted.get(number, []):
                features[path] = self._walker.pool(module, hidden, output)
            if number == deepest:
                if projects:
                    features["projection/embedding"] = self._walker.project(module, hidden)
                break
        return features

    def _get_module(self, dtype: torch.dtype) -> nn.Module:
        if dtype not in self._modules:
            self._modules[dtype] = copy.deepcopy(self.module).to(dtype)
        return self._modules[dtype]


def _group_by_layer(paths: Sequence[str]) -> tuple[dict[int, list[tuple[str, str]]], bool]:
    """Return per layer the paths with their outputs, and whether the projection is asked for."""
    wanted: dict[int, list[tuple[str, str]]] = {}
    for path in paths:
        layer, output = path.split("/")
        if layer != "projection":
            wanted.setdefault(int(layer.rpartition("_")[2]), []).append((path, output))
    return wanted, "projection/embedding" in paths
