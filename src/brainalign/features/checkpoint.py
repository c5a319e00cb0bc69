"""Find the folder of a checkpoint and refuse everything that is not plain data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from safetensors import SafetensorError, safe_open

from brainalign.errors import CorruptDataError, InputError, ResourceError

# Nothing else is fetched from a hub or read from a folder: no pickle, no code.
_FETCHED = [
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
]
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt", "*.h5", "*.msgpack")
_CONVERT = (
    "brainalign never unpickles weights. Convert the checkpoint to model.safetensors "
    "(save_pretrained does) in an environment that you trust, or choose a revision that has it."
)


def find_checkpoint(model: str, revision: str | None) -> Path:
    """Find a local folder, or fetch a checkpoint from a hub.

    Parameters
    ----------
    model : str
        A folder, or an id such as ``openai/clip-vit-base-patch16``.
    revision : str or None
        Commit, tag or branch on the hub.

    Returns
    -------
    folder : path
        Holds ``config.json`` and safetensors. A local folder never causes a network call, and
        a checkpoint that is complete in the cache does not either.

    Raises
    ------
    InputError
        If there is no such folder or id, or it has no safetensors.
    ResourceError
        If the hub can't be reached and the cache does not hold the checkpoint.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise InputError("a local folder has no revision", where=model, found=revision)
        return folder
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise InputError(
            "there is no such folder, and it is no id on a hub",
            where=model,
            expected="a folder or an id such as facebook/dinov2-base",
        )
    return _fetch(model, revision)


def _fetch(model: str, revision: str | None) -> Path:
    try:
        cached = Path(
            snapshot_download(
                model, revision=revision, allow_patterns=_FETCHED, local_files_only=True
            )
        )
        if (cached / "config.json").exists() and list_weight_files(cached):
            return cached
    except (OSError, HFValidationError):
        pass
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FETCHED))
    except HFValidationError as error:
        raise InputError("no valid id on a hub", where=model, found=error) from None
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        raise InputError(
            f"the hub has no such model or revision for you (status {status})",
            where=_name(model, revision),
            remedy="Check the spelling and the revision, and log in if it is gated.",
        ) from None
    except Exception as error:  # every transport has its own errors for an absent network
        raise ResourceError(
            "the model is not in the cache and the hub can't be reached",
            where=_name(model, revision),
            found=type(error).__name__,
            remedy=(
                f"Fetch it once with network access (hf download {model}), set HF_HOME to that "
                "cache, unset HF_HUB_OFFLINE, or give a local folder as model."
            ),
        ) from None


def _name(model: str, revision: str | None) -> str:
    return model if revision is None else f"{model}@{revision}"


def list_weight_files(folder: Path) -> list[Path]:
    """List the safetensors of a checkpoint that `transformers` would read.

    Parameters
    ----------
    folder : path
        Folder of a checkpoint.

    Returns
    -------
    files : list of path
        ``model.safetensors``, or else the shards ``model-*.safetensors``, sorted.
    """
    single = folder / "model.safetensors"
    return [single] if single.exists() else sorted(folder.glob("model-*.safetensors"))


def check_weight_files(folder: Path) -> list[Path]:
    """Refuse pickles and damaged files before anything is loaded.

    Parameters
    ----------
    folder : path
        Folder of a checkpoint.

    Returns
    -------
    files : list of path
        The safetensors to read.

    Raises
    ------
    InputError
        If there are no safetensors; a pickle that lies there instead is named and not opened.
    CorruptDataError
        If a file is truncated or its header is damaged.
    """
    files = list_weight_files(folder)
    if not files:
        pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
        if pickles:
            raise InputError(
                "the weights are no safetensors", where=folder, found=pickles[0], remedy=_CONVERT
            )
        raise InputError("there are no weights", where=folder, expected="model.safetensors")
    for path in files:
        try:
            with safe_open(path, framework="pt") as tensors:
                tensors.keys()
        except (SafetensorError, OSError, ValueError) as error:
            raise CorruptDataError(
                "the safetensors file is damaged or cut short",
                where=path,
                found=error,
                remedy="Fetch or train the checkpoint again.",
            ) from None
    return files


def read_weights(files: list[Path], skipped_prefixes: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Read tensors from safetensors files.

    Parameters
    ----------
    files : list of path
        From :func:`check_weight_files`.
    skipped_prefixes : tuple of str
        Tensors whose names begin like this are left on the disk.

    Returns
    -------
    weights : dict of str to tensor
        On the CPU, in the dtypes of the files.
    """
    weights: dict[str, torch.Tensor] = {}
    for path in files:
        with safe_open(path, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - the handle is no mapping
                if not name.startswith(skipped_prefixes):
                    weights[name] = tensors.get_tensor(name)
    return weights


def read_configuration(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of a checkpoint.

    Parameters
    ----------
    folder : path
        Folder of a checkpoint.
    name : str
        Name of the file.

    Returns
    -------
    configuration : dict
        Its content.

    Raises
    ------
    InputError
        If it is missing, or asks for code of its own.
    CorruptDataError
        If it is no JSON object.
    """
    path = folder / name
    if not path.exists():
        raise InputError(f"{name} is missing", where=folder, remedy="Take the whole checkpoint.")
    try:
        configuration = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptDataError("the file is no JSON", where=path, found=error) from None
    if not isinstance(configuration, dict):
        raise CorruptDataError("the file is no JSON object", where=path)
    if "auto_map" in configuration or "custom_pipelines" in configuration:
        raise InputError(
            "the checkpoint brings its own code, which is never run",
            where=path,
            remedy="Choose a checkpoint of an architecture that transformers itself contains.",
        )
    return configuration


def read_preprocessor_configuration(folder: Path) -> tuple[dict[str, Any], str]:
    """Read how images are prepared, in the old or the new place.

    Parameters
    ----------
    folder : path
        Folder of a checkpoint.

    Returns
    -------
    configuration : dict
        Of the image processor.
    where : str
        File from which it comes.
    """
    name = "preprocessor_config.json"
    if not (folder / name).exists() and (folder / "processor_config.json").exists():
        name = "processor_config.json"
    configuration = read_configuration(folder, name)
    return configuration.get("image_processor", configuration), str(folder / name)


def digest_files(files: list[Path]) -> str:
    """Compute one SHA-256 over weights files.

    Parameters
    ----------
    files : list of path
        In the order in which they count.

    Returns
    -------
    digest : str
        Hexadecimal; of a single file, equal to ``sha256sum``.
    """
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
