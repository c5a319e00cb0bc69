"""NeuroAlign as a method: segments of movies and BOLD in, embeddings, codes and weights out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from brainalign.errors import InputError
from brainalign.methods.clips.arrays import (
    ClipEmbedding,
    Segments,
    check_no_shared_rows,
    find_window_starts,
)
from brainalign.methods.clips.base import ClipMethod
from brainalign.methods.neuroalign.network import LevelShape, NeuroAlignNetwork
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from brainalign.methods.neuroalign.task import NeuroAlignTask
from brainalign.methods.neuroalign.windows import WindowSource, embed_windows
from brainalign.methods.normalisation import Standardisation, fit_standardisation
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.options import suggest_name
from brainalign.training.device import resolve_device
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

_MODALITIES = ("bold", "video", "text")

TOKENS_PER_CODE = 20
"""Tokens in training below which a code is hardly more than one of them."""


@dataclass(frozen=True)
class ClipScaling:
    """Means and deviations of all inputs in training.

    Attributes
    ----------
    by_modality : dict of str to Standardisation
        ``bold``, ``video`` and, where there is any, ``text``.
    roi : array of shape (n_kept_voxels,) of str
        Region of each kept voxel.
    """

    by_modality: dict[str, Standardisation]
    roi: np.ndarray

    @classmethod
    def fit(cls, training: Segments) -> ClipScaling:
        """Learn from the rows that are there; voxels that do not vary are dropped."""
        fitted = {
            "bold": fit_standardisation(training.bold[training.is_recorded], where="voxels"),
            "video": fit_standardisation(training.video[training.is_shown], where="features"),
        }
        if training.text is not None:
            known = np.isfinite(training.text).all(1)
            fitted["text"] = fit_standardisation(training.text[known], where="captions")
        return cls(fitted, training.roi[fitted["bold"].kept])

    def apply(self, segments: Segments) -> Segments:
        """Standardise all rows; those that are missing stay NaN.

        Raises
        ------
        InputError
            Widths differ from the fit, or captions are missing.
        """
        if "text" in self.by_modality and segments.text is None:
            raise InputError(
                "the fit had captions and these segments have none",
                where="neuroalign",
                remedy="Give their features, or fit without text_path.",
            )
        given = {"bold": segments.bold, "video": segments.video, "text": segments.text}
        scaled = {}
        for name, statistics in self.by_modality.items():
            values = given[name]
            assert values is not None
            known = np.isfinite(values).all(1)
            rows = np.full((len(values), statistics.n_kept), np.nan, np.float32)
            rows[known] = statistics.apply(values[known], where=name)
            scaled[name] = rows
        return replace(
            segments,
            bold=scaled["bold"],
            video=scaled["video"],
            text=scaled.get("text"),
            roi=self.roi,
        )


class NeuroAlign(ClipMethod):
    """BOLD and video windows in one space, then in one codebook.

    After You et al. (2026), of which no code and no hyper-parameters are public: names of the
    losses are theirs; the lag adapter and the weights of DynaSyncMM-EMA are ours, the quantiser and
    the prediction are those of Uni-Code (Xia et al. 2023), which theirs extend. Fitted to one
    subject. The best epoch of the second stage on the validation segments is kept.

    Parameters
    ----------
    options : NeuroAlignOptions, optional
        Preset ``small`` where None.
    """

    name = "neuroalign"
    requirements = NeuroAlignOptions.requirements
    Options = NeuroAlignOptions
    is_random = True

    options: NeuroAlignOptions

    def __init__(self, options: NeuroAlignOptions | None = None) -> None:
        super().__init__(options)
        self._network: NeuroAlignNetwork | None = None
        self._scaling: ClipScaling | None = None
        self._tr_s = 0.0
        self._feature_widths: list[int] = []

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
        """Train both stages; see `ClipMethod.fit`.

        Raises
        ------
        InputError
            Segments stand in both splits, are too short, levels do not fit, or the codebook has
            more codes than there are tokens.

        Warns
        -----
        UserWarning
            There are fewer than 20 tokens per code.
        """
        check_no_shared_rows(training, validation)
        options = self.options
        if options.codebook != "none":
            _check_codes(options.n_codes, training)
        starts = [
            find_window_starts(
                one, options.window_trs, options.n_lags, options.smallest_recorded_share
            )
            for one in (training, validation)
        ]
        scaling = ClipScaling.fit(training)
        self._tr_s = training.tr_s
        self._feature_widths = list(training.feature_widths) or [training.video.shape[1]]
        scaled = [scaling.apply(one) for one in (training, validation)]
        with isolate_torch_randomness(derive_seed(seed, "initialisation")):
            network = self._make_network(scaling)
        task = NeuroAlignTask(network, options, scaled[0], scaled[1], starts[0], starts[1])
        history = train_module(
            task, options, seed=seed, device=device, scratch=scratch, report=report
        )
        self._network, self._scaling = network.cpu(), scaling
        history.attrs["dropped_voxels"] = scaling.by_modality["bold"].n_dropped
        return history

    def embed(self, segments: Segments, starts: np.ndarray, device: str = "cpu") -> ClipEmbedding:
        """Embed windows; see `ClipMethod.embed`."""
        if self._network is None or self._scaling is None:
            raise self._refuse_unfitted()
        target = resolve_device(device)
        network = self._network.to(target).eval()
        source = WindowSource(self._scaling.apply(segments), self.options, target)
        with torch.inference_mode():
            window, moment, code = embed_windows(network, source, starts, target)
            codebook = None
            if network.codebook is not None:
                codebook = functional.normalize(network.codebook.code, dim=-1).cpu().numpy()
        self._network = network.cpu()
        windows, moments = window.cpu().numpy(), moment.cpu().numpy()
        codes = None if code is None else code.cpu().numpy()
        return ClipEmbedding(
            stimulus=windows[1],
            response=windows[0],
            stimulus_token=moments[1],
            response_token=moments[0],
            stimulus_code=None if codes is None else codes[1],
            response_code=None if codes is None else codes[0],
            codebook=codebook,
        )

    def describe_lags(self) -> dict[str, np.ndarray]:
        """Learned weights over lags, by region where they were learned so."""
        if self._network is None or self._scaling is None:
            raise self._refuse_unfitted()
        weight: dict[str, np.ndarray] = {}
        for number, level in enumerate(self._network.list_levels()):
            rows = level.lag().detach().numpy()
            names = self._name_lags(number)
            weight |= dict(zip(names, rows, strict=True))
        return weight

    def _name_lags(self, level: int) -> list[str]:
        if self.options.lag_by_roi:
            shape = self._list_shapes(self._scaling)[level]
            regions = self._scaling.roi[shape.voxels.numpy()] if self._scaling else []
            return sorted(set(np.asarray(regions).tolist()))
        if self.options.roi_levels:
            return ["+".join(self.options.roi_levels[level])]
        return ["all"]

    def get_weights(self) -> Weights:
        """All that was learned: ``module/…`` and ``scaling/{modality}/…``, and the widths."""
        if self._network is None or self._scaling is None:
            raise self._refuse_unfitted()
        weights = prefix_weights(
            {name: value.numpy().copy() for name, value in self._network.state_dict().items()},
            "module/",
        )
        for name, statistics in self._scaling.by_modality.items():
            weights |= prefix_weights(statistics.get_weights(), f"scaling/{name}/")
        names, number = np.unique(self._scaling.roi, return_inverse=True)
        text = "\n".join(names.tolist()).encode()
        weights["roi/number"] = number.reshape(-1).astype(np.int64)
        weights["roi/name"] = np.frombuffer(text, dtype=np.uint8).copy()
        weights["tr_s"] = np.array([self._tr_s])
        weights["feature_widths"] = np.array(self._feature_widths, dtype=np.int64)
        return weights

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `ClipMethod.set_weights`."""
        for name in ("tr_s", "feature_widths", "roi/number", "roi/name"):
            if name not in weights:
                raise InputError(
                    "these weights are of another model", where=self.name, expected=f"also {name}"
                )
        names = np.array(weights["roi/name"].tobytes().decode().split("\n"))
        fitted = {
            name: Standardisation.from_weights(part, where=name)
            for name in _MODALITIES
            if (part := select_weights(weights, f"scaling/{name}/"))
        }
        self._tr_s = float(weights["tr_s"][0])
        self._feature_widths = weights["feature_widths"].tolist()
        scaling = ClipScaling(fitted, names[weights["roi/number"]])
        network = self._make_network(scaling)
        state = select_weights(weights, "module/")
        shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        check_weights(state, shapes, where=self.name)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
        self._network, self._scaling = network.eval(), scaling

    def _make_network(self, scaling: ClipScaling) -> NeuroAlignNetwork:
        text = scaling.by_modality.get("text")
        return NeuroAlignNetwork(
            self._list_shapes(scaling),
            0 if text is None else text.n_kept,
            self.options,
            self._tr_s,
        )

    def _list_shapes(self, scaling: ClipScaling | None) -> list[LevelShape]:
        assert scaling is not None
        roi = scaling.roi
        levels = self.options.roi_levels or [sorted(set(roi.tolist()))]
        if len(levels) > 1 and len(self._feature_widths) != len(levels):
            raise InputError(
                "levels of regions and of features do not fit",
                where="roi_levels",
                expected=f"{len(levels)} feature paths",
                found=len(self._feature_widths),
            )
        kept = scaling.by_modality["video"].kept
        # Dropped features shift the columns of the levels behind them.
        edges = np.cumsum([0, *self._feature_widths])
        bounds = [int(kept[:edge].sum()) for edge in edges]
        shapes = []
        for number, names in enumerate(levels):
            for name in names:
                if name not in roi:
                    raise InputError(
                        f"no region '{name}'",
                        where="roi_levels",
                        remedy=suggest_name(name, set(roi.tolist())),
                    )
            voxels = np.flatnonzero(np.isin(roi, names))
            known, regions = np.unique(roi[voxels], return_inverse=True)
            by_roi = self.options.lag_by_roi
            shapes.append(
                LevelShape(
                    torch.from_numpy(voxels),
                    torch.from_numpy(regions.reshape(-1) if by_roi else np.zeros_like(voxels)),
                    len(known) if by_roi else 1,
                    slice(bounds[number], bounds[number + 1])
                    if len(levels) > 1
                    else slice(0, bounds[-1]),
                )
            )
        return shapes


def _check_codes(n_codes: int, training: Segments) -> None:
    n_modalities = 2 if training.text is None else 3
    n_tokens = n_modalities * int((training.is_shown & training.is_recorded).sum())
    if n_codes > n_tokens:
        raise InputError(
            "the codebook is larger than the data",
            where="neuroalign",
            expected=f"n_codes of at most {n_tokens}, the tokens of the training segments",
            found=n_codes,
            remedy=f"Set n_codes to {max(2, n_tokens // TOKENS_PER_CODE)} or fewer.",
        )
    if n_codes * TOKENS_PER_CODE > n_tokens:
        warnings.warn(
            f"{n_codes} codes for {n_tokens} tokens in training: codes will mean little",
            UserWarning,
            stacklevel=3,
        )
