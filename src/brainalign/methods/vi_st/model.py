"""Vi-ST as a method: movies and rates in, predicted rates and weights out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.movies.tokens import average_patches, resample_fields, resample_tokens
from brainalign.methods.vi_st.calibration import start_at_rates
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions
from brainalign.methods.vi_st.task import ViSTTask, predict_frames
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.training.device import resolve_device
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness


class ViST(RateMethod):
    """Rates of a population of cells from a movie's tokens, by causal 3-D convolutions.

    After Wu, Zhou, Yin and Liu (ECCV 2024). The best epoch on the validation split is kept; the
    published run kept its last epoch, averaged its weights and had no validation split. Tokens
    are standardised per dimension over the training frames.

    Parameters
    ----------
    options : ViSTOptions, optional
        Preset ``small`` where None.
    """

    name = "vi_st"
    requirements = ViSTOptions.requirements
    Options = ViSTOptions
    is_random = True

    options: ViSTOptions

    def __init__(self, options: ViSTOptions | None = None) -> None:
        super().__init__(options)
        self._network: ViSTNetwork | None = None
        self._statistics: dict[str, np.ndarray] = {}

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
        """Train the network; see `RateMethod.fit`.

        Raises
        ------
        InputError
            The tokens never change, no cell has a receptive field where fields are asked for, a
            clip fits no movie, or rates are of other frames or cells.
        """
        self._check_inputs(movies, cells, training, validation)
        kept = choose_units(len(cells.unit), self.options.n_units, seed)
        content = self._compose_tokens(movies)
        self._statistics = {"kept": kept, **_measure(content[training.frames])}
        rf = self._take_fields(cells)
        if self.options.rf_mode != "none" and not rf.any():
            raise InputError(
                "no cell has a receptive field",
                where="vi_st",
                remedy="Set rf_mode: none, or give receptive fields.",
            )
        token = self._standardise(content)
        if self.options.prior_time == "shuffled":
            token = token[shuffle_within(movies.list_spans(), derive_seed(seed, "frames"))]
        with isolate_torch_randomness(derive_seed(seed, "initialisation")):
            network = ViSTNetwork(token.shape[2], len(kept), self.options)
        task = ViSTTask(
            network,
            self.options,
            token,
            movies.list_spans(),
            rf,
            RateTargets(training.rate[:, kept], training.stretch),
            RateTargets(validation.rate[:, kept], validation.stretch),
        )
        if self.options.read_out_start == "rates" and self.options.output == "linear":
            with isolate_torch_randomness(derive_seed(seed, "calibration")):
                start_at_rates(network, task, self.options.clip_frames)
        history = train_module(
            task, self.options, seed=seed, device=device, scratch=scratch, report=report
        )
        self._network = network.cpu()
        return history

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Predict with the whole history of each frame; see `RateMethod.predict`."""
        if self._network is None:
            raise self._refuse_unfitted()
        target = resolve_device(device)
        network = self._network.to(target).eval()
        token = torch.from_numpy(self._standardise(self._compose_tokens(movies))).to(target)
        rf = torch.from_numpy(self._take_fields(cells))[None].to(target)
        rate = np.full((len(movies.movie), len(cells.unit)), np.nan, np.float32)
        with torch.inference_mode():
            for span in movies.list_spans():
                predicted = predict_frames(network, token, rf, span, span)
                rate[span, self._statistics["kept"]] = predicted.numpy()
        self._network = network.cpu()
        return rate

    def get_weights(self) -> Weights:
        """All that was learned: ``module/…``, ``token/…`` statistics and the kept cells."""
        if self._network is None:
            raise self._refuse_unfitted()
        state = {name: value.numpy().copy() for name, value in self._network.state_dict().items()}
        return prefix_weights(state, "module/") | prefix_weights(self._statistics, "token/")

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `RateMethod.set_weights`."""
        statistics = select_weights(weights, "token/")
        if set(statistics) != {"kept", "mean", "deviation"}:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected="token/kept, token/mean and token/deviation",
            )
        with isolate_torch_randomness(0):
            network = ViSTNetwork(len(statistics["mean"]), len(statistics["kept"]), self.options)
        state = select_weights(weights, "module/")
        shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        check_weights(state, shapes, where=self.name)
        network.load_state_dict(
            {name: torch.from_numpy(value.copy()) for name, value in state.items()}
        )
        self._network, self._statistics = network.eval(), statistics

    def _compose_tokens(self, movies: Movies) -> np.ndarray:
        """Content of each patch after the option ``prior``."""
        grid = self.options.grid
        if self.options.prior == "tokens":
            return resample_tokens(movies.token, grid)
        if self.options.prior == "none":
            return average_patches(movies.luminance, grid).reshape(len(movies.movie), -1, 1)
        # Four by four pixels of each patch stand for its content.
        fine = average_patches(movies.luminance, 4 * grid)
        blocks = fine.reshape(-1, grid, 4, grid, 4).swapaxes(2, 3)
        return np.ascontiguousarray(blocks).reshape(len(movies.movie), grid * grid, 16)

    def _standardise(self, content: np.ndarray) -> np.ndarray:
        standardised = content.astype(np.float32) - self._statistics["mean"]
        standardised /= self._statistics["deviation"]
        return standardised

    def _take_fields(self, cells: Cells) -> np.ndarray:
        return resample_fields(cells.rf_map[self._statistics["kept"]], self.options.grid)


def choose_units(n_units: int, n_kept: int | None, seed: int) -> np.ndarray:
    """Choose the cells of a fit.

    Parameters
    ----------
    n_units : int
        Recorded cells.
    n_kept : int or None
        Cells to keep; None: all.
    seed : int
        Seed of the choice. Smaller choices of a seed lie within its larger ones.

    Returns
    -------
    kept : array of shape (n_kept,), int64
        Sorted positions.
    """
    if n_kept is None or n_kept >= n_units:
        return np.arange(n_units)
    order = np.random.default_rng(derive_seed(seed, "units")).permutation(n_units)
    return np.sort(order[:n_kept])


def shuffle_within(spans: list[slice], seed: int) -> np.ndarray:
    """Shuffle the frames of each movie.

    Parameters
    ----------
    spans : list of slice
        Rows of each movie.
    seed : int
        Seed of the order.

    Returns
    -------
    order : array of shape (n_frames,), int64
        Row that is shown in place of each row.
    """
    generator = np.random.default_rng(seed)
    return np.concatenate(
        [span.start + generator.permutation(span.stop - span.start) for span in spans]
    )


def _measure(content: np.ndarray) -> dict[str, np.ndarray]:
    # One dimension at a time in float64 would be slow; half precision would overflow.
    mean = content.mean((0, 1), dtype=np.float64).astype(np.float32)
    deviation = content.std((0, 1), dtype=np.float64).astype(np.float32)
    if (content == content[:1]).all():
        raise InputError(
            "the training frames never change",
            where="vi_st",
            remedy="Check the movie and its features.",
        )
    return {"mean": mean, "deviation": np.where(deviation > 0, deviation, 1).astype(np.float32)}
