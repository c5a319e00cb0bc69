"""Critics that estimate how much a group's latents and an image say about each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, interpolate, normalize

from brainalign.errors import InputError
from brainalign.methods.image_prior.encoder import ImageEncoder
from brainalign.methods.image_prior.reader import shift_images
from brainalign.methods.mig_vis.arrays import check_latents
from brainalign.methods.mig_vis.options import CriticOptions
from brainalign.methods.weights import Weights
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

_CODE = 128
_SMALLEST_TEMPERATURE = 0.01


class PretrainedEncoder(nn.Module):
    """A frozen vision model of `transformers`: its first token, differentiable in the image.

    Parameters
    ----------
    model : str
        Hub id or folder.

    Raises
    ------
    BrainalignError
        The checkpoint cannot be used (as for backbones), or its model has no token of the whole
        image.
    """

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, model: str) -> None:
        super().__init__()
        # Through the door of the backbones: weights as safetensors only, no code of others.
        from brainalign.features.pretrained import load_pretrained

        loaded = load_pretrained(model, None, torch.device("cpu"))
        configuration: Any = loaded.module.config
        if not hasattr(configuration, "hidden_size"):
            raise InputError(
                "the vision model has no token of the whole image",
                where="critic.encoder_model",
                expected="a transformer such as CLIP or DINO",
                found=loaded.architecture,
                remedy="Choose another model, or set encoder: cnn.",
            )
        self.network = loaded.module
        self.image_size = int(configuration.image_size)
        self.dimension = int(configuration.hidden_size)
        steps = loaded.preprocessing
        self.scale = 255 * steps.rescale
        for name, numbers in (("mean", steps.mean), ("sd", steps.std)):
            values = torch.tensor(numbers).view(1, -1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever the critics do."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Encode images between -1 and 1; grey ones get three equal channels."""
        coloured = image.expand(-1, 3, -1, -1)
        # From [-1, 1] to the range that the statistics are of: the released sampler leaves it out.
        scaled = (self.scale * (coloured + 1) / 2 - self.mean) / self.sd
        resized = interpolate(scaled, size=self.image_size, mode="bilinear", align_corners=False)
        token: torch.Tensor = self.network(pixel_values=resized).last_hidden_state[:, 0]
        return token


class GroupCritics(nn.Module):
    """One critic per group on a shared view of the image.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    groups : sequence of slice
        Columns of each group in the latents.
    options : CriticOptions
        Encoder and sizes.
    """

    def __init__(self, n_channels: int, groups: Sequence[slice], options: CriticOptions) -> None:
        super().__init__()
        self.groups = list(groups)
        self.is_frozen = options.encoder == "pretrained"
        code = _CODE
        self.encoder: nn.Module
        if options.encoder == "pretrained":
            if options.encoder_model is None:
                raise InputError(
                    "a pretrained encoder needs a model",
                    where="critic.encoder_model",
                    remedy="Name a hub id or a folder, or set encoder: cnn.",
                )
            self.encoder = PretrainedEncoder(options.encoder_model)
            code = self.encoder.dimension
        else:
            self.encoder = nn.Sequential(
                ImageEncoder(n_channels, _CODE), nn.SiLU(), nn.Dropout(0.5)
            )
        self.views = nn.ModuleList(nn.Linear(code, options.dimension) for _ in groups)
        self.latent_towers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(group.stop - group.start, 128),
                nn.SiLU(),
                nn.Linear(128, options.dimension),
            )
            for group in groups
        )
        # A regression from images to latents: the likelihood guidance of the baselines.
        self.regression = nn.Linear(code, groups[-1].stop)
        start = torch.full((len(groups),), -float(np.log(options.initial_temperature)))
        self.log_scale = nn.Parameter(start)

    def view_images(self, code: torch.Tensor, group: int) -> torch.Tensor:
        """Make unit vectors of encoded images, as one group's critic sees them."""
        return normalize(self.views[group](code), dim=1)

    def view_latents(self, latent: torch.Tensor, group: int) -> torch.Tensor:
        """Make unit vectors of one group's latents, given all latents."""
        return normalize(self.latent_towers[group](latent[:, self.groups[group]]), dim=1)

    def get_scale(self, group: int) -> torch.Tensor:
        """Factor on the cosines of one group: the inverse temperature."""
        return self.log_scale[group].exp().clamp_max(1 / _SMALLEST_TEMPERATURE)

    def score(self, code: torch.Tensor, latent: torch.Tensor, group: int) -> torch.Tensor:
        """Score every image with every latent.

        Returns
        -------
        score : tensor of shape (n_images, n_latents)
        """
        cosine = self.view_images(code, group) @ self.view_latents(latent, group).T
        return self.get_scale(group) * cosine

    def take_trained(self) -> Weights:
        """Copy all weights but those of a frozen encoder, which comes from its own folder."""
        return {
            name: value.cpu().numpy().copy()
            for name, value in self.state_dict().items()
            if not (self.is_frozen and name.startswith("encoder."))
        }


class CriticTask:
    """InfoNCE of every group, and the regression from images to latents.

    Parameters
    ----------
    module : GroupCritics
        What is trained.
    options : CriticOptions
        Batch size.
    images : array of shape (n_versions, n_stimuli, n_channels, y, x), float32
        Training images, and one-step estimates of them.
    mean, log_variance : array of shape (n_stimuli, n_latents), float32
        Posteriors of the latents; every batch draws from them, so that moved latents are less
        foreign.
    held_out_image, held_out_mean : array
        The same of validation stimuli.
    """

    def __init__(
        self,
        module: GroupCritics,
        options: CriticOptions,
        images: np.ndarray,
        mean: np.ndarray,
        log_variance: np.ndarray,
        held_out_image: np.ndarray,
        held_out_mean: np.ndarray,
    ) -> None:
        self.module, self.options = module, options
        self.n_stimuli = images.shape[1]
        self.undecayed_parameters = frozenset({"log_scale"})
        self._tensors = [
            torch.from_numpy(array)
            for array in (images, mean, log_variance, held_out_image, held_out_mean)
        ]

    def prepare(self, device: torch.device) -> None:
        """Move the module and all tensors to the device."""
        self.module.to(device)
        self._tensors = [tensor.to(device) for tensor in self._tensors]

    def fingerprint(self) -> str:
        """Digest of images and latents."""
        return digest_content([tensor.cpu().numpy() for tensor in self._tensors])

    def iterate_batches(
        self, epoch: int, generator: np.random.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield images in a version drawn by chance, and draws of their latents."""
        images, mean, log_variance = self._tensors[:3]
        size = max(2, self.options.limit_batch_size(self.n_stimuli))
        for rows in draw_batches(self.n_stimuli, size, generator):
            chosen = torch.from_numpy(rows)
            version = torch.from_numpy(generator.integers(len(images), size=len(rows)))
            drawn = torch.from_numpy(
                generator.standard_normal((len(rows), mean.shape[1]), dtype=np.float32)
            ).to(mean.device)
            latent = mean[chosen] + drawn * (0.5 * log_variance[chosen]).exp()
            steps = generator.integers(
                -self.options.shift_pixels, self.options.shift_pixels + 1, size=(2, len(rows))
            )
            yield shift_images(images[version, chosen], steps[0], steps[1]), latent

    def compute_loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Sum over groups, negatives from the batch; van den Oord et al. (2018), eq. 4."""
        image, latent = batch
        code = self.module.encoder(image)
        error = (self.module.regression(code) - latent).pow(2).mean()
        return measure_contrasts(self.module, code, latent).sum() + error

    def validate(self) -> float:
        """Minus the contrastive loss of held-out stimuli, a mean over groups."""
        image, latent = self._tensors[3:]
        return -float(measure_contrasts(self.module, self.module.encoder(image), latent).mean())


def measure_contrasts(
    critics: GroupCritics, code: torch.Tensor, latent: torch.Tensor
) -> torch.Tensor:
    """Contrastive loss of each group.

    Parameters
    ----------
    critics : GroupCritics
        The critics.
    code : tensor of shape (n_pairs, n_codes)
        Encoded images.
    latent : tensor of shape (n_pairs, n_latents)
        Latents of the same stimuli.

    Returns
    -------
    loss : tensor of shape (n_groups,)
        In nats; ``log n_pairs`` less the loss bounds the mutual information from below.
    """
    target = torch.arange(len(code), device=code.device)
    return torch.stack(
        [
            cross_entropy(critics.score(code, latent, group), target)
            for group in range(len(critics.groups))
        ]
    )


def train_critics(
    images: np.ndarray,
    mean: np.ndarray,
    log_variance: np.ndarray,
    held_out_image: np.ndarray,
    held_out_mean: np.ndarray,
    groups: Sequence[slice],
    options: CriticOptions,
    *,
    seed: int,
    device: str = "cpu",
    report: Report | None = None,
) -> tuple[GroupCritics, np.ndarray]:
    """Train one critic per group; see `CriticTask` for the arrays.

    Returns
    -------
    critics : GroupCritics
        On the CPU, in eval mode, with the weights of the best epoch.
    information : array of shape (n_groups,)
        Lower bound of the mutual information on held-out stimuli, in nats; at most the logarithm
        of their number.

    Raises
    ------
    InputError
        A latent is not finite.
    """
    check_latents(mean, "critic")
    check_latents(held_out_mean, "critic, held-out stimuli")
    with isolate_torch_randomness(derive_seed(seed, "critics")):
        critics = GroupCritics(images.shape[2], groups, options)
    task = CriticTask(critics, options, images, mean, log_variance, held_out_image, held_out_mean)
    train_module(task, options, seed=seed, device=device, report=report)
    critics = critics.cpu().eval()
    with torch.no_grad():
        code = critics.encoder(torch.from_numpy(held_out_image))
        loss = measure_contrasts(critics, code, torch.from_numpy(held_out_mean))
    return critics, np.log(len(held_out_mean)) - loss.numpy()
