"""What every backbone promises to the extraction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch


class Backbone(ABC):
    """A frozen model that turns images into features.

    Attributes
    ----------
    architecture : str
        ``pixels``, ``clip``, ``dinov2``, ``dinov2_with_registers``, ``vit`` or ``resnet``.
    n_layers : int
        Depth; layers are numbered from 0 (the embedding) to ``n_layers``.
    device : torch.device
        Where it computes.
    """

    architecture: str
    n_layers: int
    device: torch.device

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return what identifies the features: model, revision, digest and preprocessing.

        Returns
        -------
        description : dict
            Only strings, numbers, lists and dicts, so that it fits into a store's attributes.
        """

    @abstractmethod
    def list_paths(self, layers: Sequence[int | str], outputs: Sequence[str]) -> list[str]:
        """Name the features that layers and outputs stand for, shallow ones first.

        Parameters
        ----------
        layers : sequence of int or str
            Numbers (negative ones count from the end) or names of layers.
        outputs : sequence of str
            Some of ``cls``, ``mean``, ``map`` and ``token``.

        Returns
        -------
        paths : list of str
            Such as ``layer_4/cls``, each once.

        Raises
        ------
        InputError
            If the backbone has no such layer or output.
        """

    @abstractmethod
    def move(self, device: torch.device) -> None:
        """Compute on this device from now on."""

    @abstractmethod
    def compute(
        self, images: torch.Tensor, paths: Sequence[str], dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Compute the features of a batch of images.

        Parameters
        ----------
        images : tensor of shape (n_images, y, x, 3), uint8
            RGB images on the backbone's device.
        paths : sequence of str
            Paths from :meth:`list_paths`.
        dtype : torch.dtype
            ``torch.float32`` or ``torch.bfloat16``: precision of weights and activity.

        Returns
        -------
        features : dict of str to tensor, float32
            Per path ``(n_images, n_features)``, or ``(n_images, n_tokens, n_features)`` for
            tokens, pooled on the device. Nothing beyond the deepest path is computed.
        """
