"""A small convolutional network on the last frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod, correlate_columns
from brainalign.methods.movies.tokens import average_patches
from brainalign.methods.rate_baselines.options import MovieCNNOptions
from brainalign.methods.weights import Weights, check_weights
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content
from brainalign.training.device import resolve_device
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

_FRAMES_AT_ONCE = 256


class MovieCNNModule(nn.Module):
    """Convolutions with the last frames as channels, then a dense layer and a softplus.

    Parameters
    ----------
    n_units : int
        Cells.
    options : MovieCNNOptions
        Sizes.

    Raises
    ------
    InputError
        The kernels are larger than the frame.
    """

    def __init__(self, n_units: int, options: MovieCNNOptions) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side, n_inputs = options.frame_side, options.n_lags
        for layer, (channels, kernel) in enumerate(
            zip(options.channels, options.kernels, strict=True)
        ):
            stride = options.stride if layer == 0 else 1
            layers += [
                nn.Conv2d(n_inputs, channels, kernel, stride=stride),
                nn.BatchNorm2d(channels),
                GaussianNoise(options.noise),
                nn.ReLU(),
            ]
            side, n_inputs = (side - kernel) // stride + 1, channels
        if side < 1:
            raise InputError(
                "the kernels are larger than the frame",
                where="movie_cnn",
                found=f"kernels {options.kernels}, frame_side {options.frame_side}",
            )
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(n_inputs * side * side, n_units)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        """Predict rates.

        Parameters
        ----------
        history : tensor of shape (n_frames, n_lags, y, x)
            The present frame first.

        Returns
        -------
        rate : tensor of shape (n_frames, n_units)
            In Hz, positive.
        """
        return nn.functional.softplus(self.dense(self.layers(history).flatten(1)))


class GaussianNoise(nn.Module):
    """Noise in training mode.

    Parameters
    ----------
    deviation : float
        Standard deviation.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Add noise in training mode; the input itself in eval mode."""
        if not self.training or self.deviation == 0:
            return hidden
        return hidden + self.deviation * torch.randn_like(hidden)


class MovieCNNTask:
    """Frames of the training split in random order.

    Parameters
    ----------
    module : MovieCNNModule
        What is trained.
    options : MovieCNNOptions
        Batches.
    frame : array of shape (n_frames, y, x), float32
        Standardised frames.
    history : array of shape (n_frames, n_lags), int64
        Rows of the last frames of each frame.
    training, validation : RateTargets
        Rates of both splits.
    """

    undecayed_parameters: frozenset[str] = frozenset()

    def __init__(
        self,
        module: MovieCNNModule,
        options: MovieCNNOptions,
        frame: np.ndarray,
        history: np.ndarray,
        training: RateTargets,
        validation: RateTargets,
    ) -> None:
        self.module, self.options = module, options
        self.frame, self.history = frame, history
        self.training, self.validation = training, validation
        self.n_stimuli = len(training.frames)

    def prepare(self, device: torch.device) -> None:
        """Move module and frames to the device."""
        self.module.to(device)
        self._frame = torch.from_numpy(self.frame).to(device)
        self._history = torch.from_numpy(self.history).to(device)
        self._rate = torch.from_numpy(self.training.rate).to(device)

    def fingerprint(self) -> str:
        """Digest of options and data."""
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        rates = [self.training.rate, self.training.stretch, self.validation.rate]
        return digest_content(["movie_cnn", options, self.frame, self.history, *rates])

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[torch.Tensor]:
        """Yield rows of training frames, each once in an epoch."""
        frames = self.training.frames
        batch_size = min(self.options.batch_size, len(frames))
        for rows in draw_batches(len(frames), batch_size, generator):
            yield torch.from_numpy(frames[rows]).to(self._frame.device)

    def compute_loss(self, batch: torch.Tensor) -> torch.Tensor:
        """Poisson loss of some frames."""
        predicted = self.module(self._frame[self._history[batch]])
        return nn.functional.poisson_nll_loss(predicted.float(), self._rate[batch], log_input=False)

    def validate(self) -> float:
        """Mean over cells of the correlation on the validation frames."""
        frames = self.validation.frames
        predicted = predict_rows(self.module, self._frame, self._history, frames)
        correlation = correlate_columns(predicted, self.validation.rate[frames])
        return float(np.nanmean(correlation)) if np.isfinite(correlation).any() else -1.0


class MovieCNN(RateMethod):
    """Rates from the last frames by two convolutions and a dense layer; Poisson loss.

    Parameters
    ----------
    options : MovieCNNOptions, optional
        Preset ``small`` where None.
    """

    name = "movie_cnn"
    requirements = MovieCNNOptions.requirements
    Options = MovieCNNOptions
    is_random = True

    options: MovieCNNOptions

    def __init__(self, options: MovieCNNOptions | None = None) -> None:
        super().__init__(options)
        self._module: MovieCNNModule | None = None
        self._statistics = np.zeros(2, np.float32)

    def fit(
        self,
        movies: Movies,
        cells: Cells,
        training: RateTargets,
        validation: RateTargets,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Train the network; see `RateMethod.fit`."""
        self._check_inputs(movies, cells, training, validation)
        frame = average_patches(movies.luminance, self.options.frame_side)
        shown = frame[training.frames]
        self._statistics = np.array([shown.mean(), max(shown.std(), 1e-6)], np.float32)
        with isolate_torch_randomness(derive_seed(seed, "initialisation")):
            module = MovieCNNModule(len(cells.unit), self.options)
        # The dense layer starts at the mean rates, far from which softplus is nearly flat.
        mean = np.maximum(training.rate[training.frames].mean(0), 1e-2)
        with torch.no_grad():
            module.dense.bias.copy_(torch.from_numpy(np.log(np.expm1(mean))))
        task = MovieCNNTask(
            module,
            self.options,
            self._standardise(frame),
            list_history(movies.list_spans(), self.options.n_lags),
            training,
            validation,
        )
        table = train_module(
            task, self.options, seed=seed, device=device, scratch=scratch, report=report
        )
        self._module = module.cpu()
        return table

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Predict every frame; see `RateMethod.predict`."""
        if self._module is None:
            raise self._refuse_unfitted()
        target = resolve_device(device)
        frame = self._standardise(average_patches(movies.luminance, self.options.frame_side))
        history = torch.from_numpy(list_history(movies.list_spans(), self.options.n_lags))
        with torch.inference_mode():
            rate = predict_rows(
                self._module.to(target).eval(),
                torch.from_numpy(frame).to(target),
                history.to(target),
                np.arange(len(frame)),
            )
        self._module = self._module.cpu()
        return rate

    def get_weights(self) -> Weights:
        """State of the module, and mean and deviation of the luminance."""
        if self._module is None:
            raise self._refuse_unfitted()
        state = {name: value.numpy().copy() for name, value in self._module.state_dict().items()}
        return state | {"luminance": self._statistics}

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `RateMethod.set_weights`."""
        if "dense.bias" not in weights or "luminance" not in weights:
            raise InputError("these weights are of another model", where=self.name)
        with isolate_torch_randomness(0):
            module = MovieCNNModule(len(weights["dense.bias"]), self.options)
        state = {name: value for name, value in weights.items() if name != "luminance"}
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        check_weights(state, shapes, where=self.name)
        module.load_state_dict(
            {name: torch.from_numpy(value.copy()) for name, value in state.items()}
        )
        self._module, self._statistics = module.eval(), weights["luminance"]

    def _standardise(self, frame: np.ndarray) -> np.ndarray:
        mean, deviation = self._statistics
        return ((frame - mean) / deviation).astype(np.float32)


def list_history(spans: list[slice], n_lags: int) -> np.ndarray:
    """List the rows of the last frames of every frame.

    Parameters
    ----------
    spans : list of slice
        Rows of each movie; before its first frame that frame is repeated.
    n_lags : int
        Frames, the present one included.

    Returns
    -------
    history : array of shape (n_frames, n_lags), int64
        The present first.
    """
    return np.concatenate(
        [
            np.maximum(np.arange(span.start, span.stop)[:, None] - np.arange(n_lags), span.start)
            for span in spans
        ]
    )


def predict_rows(
    module: MovieCNNModule, frame: torch.Tensor, history: torch.Tensor, rows: np.ndarray
) -> np.ndarray:
    """Predict the rates at some frames.

    Parameters
    ----------
    module : MovieCNNModule
        In eval mode.
    frame : tensor of shape (n_frames, y, x)
        Standardised frames.
    history : tensor of shape (n_frames, n_lags)
        From :func:`list_history`.
    rows : array of shape (n_rows,), int64
        Frames to predict.

    Returns
    -------
    rate : array of shape (n_rows, n_units), float32
        In Hz.
    """
    chunks = torch.from_numpy(rows).to(frame.device).split(_FRAMES_AT_ONCE)
    return torch.cat([module(frame[history[chunk]]) for chunk in chunks]).float().cpu().numpy()
