"""Ridge regression with delays between movies and BOLD, used to identify windows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from himalaya.backend import set_backend
from himalaya.ridge import Ridge, RidgeCV

from brainalign.methods.clip_baselines.options import RidgeDelaysOptions
from brainalign.methods.clips.arrays import ClipEmbedding, Segments, check_no_shared_rows
from brainalign.methods.clips.base import ClipMethod
from brainalign.methods.neuroalign.modules import compute_canonical_response
from brainalign.methods.normalisation import Standardisation, fit_standardisation
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.training.progress import Report


class RidgeDelays(ClipMethod):
    """Voxels from lagged features, or features from lagged BOLD, and the match by correlation.

    Encoding is the voxelwise model of Nishimoto et al. (2011) with a finite impulse response. A
    window's movie predicts the BOLD that answers it, and windows are matched by the correlation
    over voxels and TRs. A window knows nothing of the movie outside of it.

    Parameters
    ----------
    options : RidgeDelaysOptions, optional
        Encoding where None.
    """

    name = "ridge_delays"
    requirements = RidgeDelaysOptions.requirements
    Options = RidgeDelaysOptions

    options: RidgeDelaysOptions

    def __init__(self, options: RidgeDelaysOptions | None = None) -> None:
        super().__init__(options)
        self._scaling: dict[str, Standardisation] = {}
        self._arrays: Weights = {}

    def fit(
        self,
        training: Segments,
        validation: Segments,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Fit all targets at once; see `ClipMethod.fit`. Neither seed nor device play a part."""
        check_no_shared_rows(training, validation)
        self._scaling = {
            "bold": fit_standardisation(training.bold[training.is_recorded], where="voxels"),
            "video": fit_standardisation(training.video[training.is_shown], where="features"),
        }
        video = self._scaling["video"].apply(training.video[training.is_shown], where="video")
        _, scale, components = np.linalg.svd(video, full_matrices=False)
        kept = scale[: self.options.n_components] > 1e-5 * scale[0]
        self._arrays = {"components": components[: self.options.n_components][kept]}
        inputs, targets = zip(*(self._pair(one) for one in (training, validation)), strict=True)
        set_backend("numpy")
        n_training = len(inputs[0])
        rows = np.arange(n_training + len(inputs[1]))
        search = RidgeCV(alphas=self.options.penalties, cv=[(rows[:n_training], rows[n_training:])])
        with warnings.catch_warnings():
            # Advice on speed where there are more delayed features than rows.
            warnings.filterwarnings("ignore", message="Solving ridge is slower")
            search.fit(np.concatenate(inputs), np.concatenate(targets))
        penalty = np.asarray(search.best_alphas_, np.float64)
        # The search ends with a fit to all rows; this one leaves the validation rows out.
        model = Ridge(alpha=penalty, solver_params={"warn": False}).fit(inputs[0], targets[0])
        self._arrays |= {
            "coefficient": np.asarray(model.coef_, np.float32),
            "penalty": penalty,
            "tr_s": np.array([training.tr_s]),
        }
        score = float(np.nanmean(np.asarray(model.score(inputs[1], targets[1]))))
        return pd.DataFrame({"penalty": [float(np.median(penalty))], "validation_score": [score]})

    def embed(self, segments: Segments, starts: np.ndarray, device: str = "cpu") -> ClipEmbedding:
        """Predict one side of each window and keep the other; see `ClipMethod.embed`."""
        if "coefficient" not in self._arrays:
            raise self._refuse_unfitted()
        n_steps, n_lags = self.options.window_trs, self.options.n_lags
        bold, video = self._scale(segments)
        rows = starts[:, None] + np.arange(n_steps + n_lags - 1)
        shown = video[rows[:, :n_steps]]
        answer = bold[rows]
        if self.options.direction == "encoding":
            padded = np.pad(shown, ((0, 0), (n_lags - 1, n_lags - 1), (0, 0)))
            lagged = _stack(padded, [n_lags - 1 - lag for lag in range(n_lags)], answer.shape[1])
            stimulus, response = lagged @ self._arrays["coefficient"], answer
            weight = compute_canonical_response(n_lags, float(self._arrays["tr_s"][0]))
            moments = [
                sum(weight[lag] * one[:, lag : lag + n_steps] for lag in range(n_lags))
                for one in (stimulus, response)
            ]
        else:
            lagged = _stack(answer, list(range(n_lags)), n_steps)
            stimulus, response = shown, lagged @ self._arrays["coefficient"]
            moments = [stimulus, response]
        return ClipEmbedding(
            _normalise(stimulus.reshape(len(starts), -1)),
            _normalise(response.reshape(len(starts), -1)),
            _normalise(np.asarray(moments[0])),
            _normalise(np.asarray(moments[1])),
        )

    def describe_lags(self) -> dict[str, np.ndarray]:
        """Give the share of each lag in the squared weights, over all voxels or components."""
        n_lags = self.options.n_lags
        power = (self._arrays["coefficient"] ** 2).reshape(n_lags, -1).sum(1)
        return {"all": power / power.sum()}

    def _scale(self, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
        """Z-scored BOLD and components of the video, 0 where there is nothing."""
        bold = np.zeros((len(segments.segment), self._scaling["bold"].n_kept), np.float32)
        known = segments.is_recorded
        bold[known] = self._scaling["bold"].apply(segments.bold[known], where="bold")
        shown = segments.is_shown
        scaled = self._scaling["video"].apply(segments.video[shown], where="video")
        video = np.zeros((len(bold), len(self._arrays["components"])), np.float32)
        video[shown] = scaled @ self._arrays["components"].T
        return bold, video

    def _pair(self, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the regression, segment by segment."""
        n_lags = self.options.n_lags
        bold, video = self._scale(segments)
        recorded, shown = segments.is_recorded, segments.is_shown
        inputs, targets = [], []
        for span in segments.list_spans():
            if self.options.direction == "encoding":
                padded = np.pad(video[span], ((n_lags - 1, 0), (0, 0)))[None]
                n_rows = span.stop - span.start
                lagged = _stack(padded, [n_lags - 1 - lag for lag in range(n_lags)], n_rows)[0]
                kept = recorded[span]
                inputs.append(lagged[kept])
                targets.append(bold[span][kept])
            else:
                n_rows = span.stop - span.start - n_lags + 1
                lagged = _stack(bold[span][None], list(range(n_lags)), n_rows)[0]
                kept = shown[span][:n_rows]
                inputs.append(lagged[kept])
                targets.append(video[span][:n_rows][kept])
        return np.concatenate(inputs), np.concatenate(targets)

    def get_weights(self) -> Weights:
        """All that was learned: coefficients, components, penalties and statistics."""
        if "coefficient" not in self._arrays:
            raise self._refuse_unfitted()
        weights = prefix_weights(self._arrays, "ridge/")
        for name, statistics in self._scaling.items():
            weights |= prefix_weights(statistics.get_weights(), f"scaling/{name}/")
        return weights

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `ClipMethod.set_weights`."""
        arrays = select_weights(weights, "ridge/")
        check_weights(
            {name: np.empty(0) for name in arrays},
            dict.fromkeys(("coefficient", "components", "penalty", "tr_s"), (0,)),
            where=self.name,
        )
        self._arrays = arrays
        self._scaling = {
            name: Standardisation.from_weights(
                select_weights(weights, f"scaling/{name}/"), where=name
            )
            for name in ("bold", "video")
        }


def _stack(series: np.ndarray, offsets: list[int], n_rows: int) -> np.ndarray:
    """Put shifted series side by side, (n_clips, n_rows, n_offsets * n_columns)."""
    return np.concatenate([series[:, offset : offset + n_rows] for offset in offsets], axis=2)


def _normalise(values: np.ndarray) -> np.ndarray:
    """Centre and scale, so that products are correlations; constant vectors become 0."""
    centred = values - values.mean(-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0).astype(np.float32)
