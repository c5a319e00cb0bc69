"""Compute features of many images: each distinct image once, the device never idle."""

from __future__ import annotations

import hashlib
import math
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from brainalign.errors import CorruptDataError, InputError, ResourceError
from brainalign.features.backbone import Backbone
from brainalign.progress import show_progress

# Batches that may wait between reading, computing and copying back.
_N_AHEAD = 2
# Hashing releases the interpreter lock; four threads outrun one fast GPU at 224 x 224 pixels.
_N_HASHING_THREADS = 4


@runtime_checkable
class ImageArray(Protocol):
    """An array of images that is read in slices, such as one of numpy or of a store."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_stimuli, y, x, 3)``."""
        ...

    def __getitem__(self, rows: slice, /) -> Any:
        """Return some images."""
        ...


def extract_features(
    images: ImageArray | Iterable[np.ndarray],
    backbone: Backbone,
    layers: Sequence[int | str],
    outputs: Sequence[str] = ("cls", "mean"),
    *,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    precision: str = "auto",
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """Compute the features of images, each distinct image once.

    Parameters
    ----------
    images : array of shape (n_stimuli, y, x, 3), uint8, or iterable of such arrays
        RGB images. An iterable is consumed once, so each image is decoded once.
    backbone : Backbone
        From :func:`brainalign.features.registry.load_backbone`.
    layers : sequence of int or str
        Layers to keep; the deepest is the last one that is computed.
    outputs : sequence of str
        Some of ``cls``, ``mean`` (over patches, without CLS and registers) and ``token``
        (the patches).
    batch_size : int
        Distinct images per forward pass.
    device : str or torch.device, optional
        Moves the backbone there; by default it stays where it is.
    precision : str
        ``fp32``, ``bf16``, or ``auto``: bf16 on GPUs, fp32 elsewhere.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    features : dict of str to array, float32
        Per path ``(n_stimuli, n_features)``, or ``(n_stimuli, n_tokens, n_features)`` for
        tokens, in the order of the images.

    Raises
    ------
    InputError
        If the images are no RGB images of one size, or a layer does not exist.
    CorruptDataError
        If a feature is not finite.
    ResourceError
        If the device runs out of memory.

    Notes
    -----
    Images are equal if shape and all pixels are (SHA-256). bf16 means weights and activity of
    the model; preprocessing and pooling stay in float32.
    """
    if device is not None:
        backbone.move(torch.device(device))
    paths = backbone.list_paths(layers, outputs)
    dtype = _choose_dtype(precision, backbone.device)
    slots: list[int] = []
    collector = _FeatureCollector(paths)
    batches = _iterate_distinct_batches(images, batch_size, slots, backbone.device)
    if backbone.device.type != "cpu":
        batches = _read_ahead(batches)
    if progress:
        n_images = images.shape[0] if isinstance(images, ImageArray) else None
        n_batches = None if n_images is None else math.ceil(n_images / batch_size)
        # Repeated images make fewer batches than this.
        batches = show_progress(batches, "extracting features, batches", n_batches)
    with torch.inference_mode():
        for batch in batches:
            moved = batch.to(backbone.device, non_blocking=True)
            collector.add(_compute(backbone, moved, paths, dtype))
        features = collector.finish()
    if not slots:
        raise InputError("there are no images", where="images")
    if len(slots) == len(next(iter(features.values()))):
        return features
    return {path: values[slots] for path, values in features.items()}


def _choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    known = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if precision not in known:
        raise InputError(
            "unknown precision", where="precision", expected="auto, fp32 or bf16", found=precision
        )
    return known[precision]


def _compute(
    backbone: Backbone, batch: torch.Tensor, paths: list[str], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    try:
        return backbone.compute(batch, paths, dtype)
    except torch.OutOfMemoryError:
        raise ResourceError(
            f"{backbone.device} has too little memory for {len(batch)} images at once",
            where="features.batch_size",
            remedy="Lower batch_size, or drop the token output.",
        ) from None


class _FeatureCollector:
    """Gather features on the host; a GPU's copies are waited for only some batches later.

    Parameters
    ----------
    paths : list of str
        What each batch brings.
    """

    def __init__(self, paths: list[str]) -> None:
        self._batches: dict[str, list[np.ndarray]] = {path: [] for path in paths}
        self._copies: list[tuple[torch.cuda.Event | None, dict[str, torch.Tensor]]] = []

    def add(self, features: dict[str, torch.Tensor]) -> None:
        """Start to copy the features of a batch."""
        # Towards the host, a copy that does not block lands in pinned memory.
        copies = {path: tensor.to("cpu", non_blocking=True) for path, tensor in features.items()}
        event = None
        if any(tensor.is_cuda for tensor in features.values()):
            event = torch.cuda.Event()
            event.record()
        self._copies.append((event, copies))
        if len(self._copies) > _N_AHEAD:
            self._take()

    def _take(self) -> None:
        event, copies = self._copies.pop(0)
        if event is not None:
            event.synchronize()
        for path, tensor in copies.items():
            # A copy of its own releases the pinned memory for the next batches.
            values = tensor.numpy().copy() if event is not None else tensor.numpy()
            if not np.isfinite(values).all():
                raise CorruptDataError("features are not finite", where=path)
            self._batches[path].append(values)

    def finish(self) -> dict[str, np.ndarray]:
        """Wait for the last copies and join the batches."""
        while self._copies:
            self._take()
        return {
            path: np.concatenate(batches) if batches else np.empty((0, 0), np.float32)
            for path, batches in self._batches.items()
        }


def _iterate_chunks(
    images: ImageArray | Iterable[np.ndarray], batch_size: int
) -> Iterator[np.ndarray]:
    if isinstance(images, ImageArray):
        for start in range(0, images.shape[0], batch_size):
            yield np.asarray(images[start : start + batch_size])
    else:
        for chunk in images:
            yield np.asarray(chunk)


def _check_images(chunk: np.ndarray, size: tuple[int, ...] | None) -> None:
    if chunk.dtype != np.uint8 or chunk.ndim != 4 or chunk.shape[3] != 3:
        raise InputError(
            "these are no RGB images",
            where="images",
            expected="(n, y, x, 3) uint8",
            found=f"{chunk.shape} {chunk.dtype}",
        )
    if size is not None and chunk.shape[1:] != size:
        raise InputError(
            "images differ in size", where="images", expected=size, found=chunk.shape[1:]
        )


def _digest_image(image: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image).data).digest()


def _iterate_distinct_batches(
    images: ImageArray | Iterable[np.ndarray],
    batch_size: int,
    slots: list[int],
    device: torch.device,
) -> Iterator[torch.Tensor]:
    """Yield batches of images not seen before; `slots` receives each image's distinct row."""
    known: dict[bytes, int] = {}
    waiting: list[np.ndarray] = []
    size: tuple[int, ...] | None = None
    with ThreadPoolExecutor(_N_HASHING_THREADS) as threads:
        for chunk in _iterate_chunks(images, batch_size):
            _check_images(chunk, size)
            size = chunk.shape[1:]
            for image, digest in zip(chunk, threads.map(_digest_image, chunk), strict=True):
                if digest not in known:
                    known[digest] = len(known)
                    waiting.append(image)
                slots.append(known[digest])
                if len(waiting) == batch_size:
                    yield _stack(waiting, device)
                    waiting = []
    if waiting:
        yield _stack(waiting, device)


def _stack(images: list[np.ndarray], device: torch.device) -> torch.Tensor:
    batch = torch.empty(
        (len(images), *images[0].shape), dtype=torch.uint8, pin_memory=device.type == "cuda"
    )
    np.stack(images, out=batch.numpy())
    return batch


def _read_ahead(batches: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Read, hash and pin in a thread while the device computes."""
    ready: queue.Queue[torch.Tensor | BaseException | None] = queue.Queue(_N_AHEAD)
    stopped = threading.Event()

    def fill() -> None:
        try:
            for batch in batches:
                if not _put(ready, batch, stopped):
                    return
            _put(ready, None, stopped)
        except BaseException as error:
            _put(ready, error, stopped)

    threading.Thread(target=fill, daemon=True).start()
    try:
        while (batch := ready.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield batch
    finally:
        stopped.set()


def _put(
    ready: queue.Queue[torch.Tensor | BaseException | None],
    batch: torch.Tensor | BaseException | None,
    stopped: threading.Event,
) -> bool:
    while not stopped.is_set():
        try:
            ready.put(batch, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
