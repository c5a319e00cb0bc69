"""Assemble the response store of one subject from its functional runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import dask.array as da
import nibabel as nib
import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.bids.dataset import BIDSFolder
from brainalign.raw.bids.volumes import check_same_grid
from brainalign.responses.build import mark_training
from brainalign.responses.counts import number_repeats
from brainalign.responses.fmri_glmsingle import estimate_with_glmsingle
from brainalign.responses.fmri_options import FMRIResponseOptions
from brainalign.responses.fmri_regions import Voxels, choose_voxels
from brainalign.responses.fmri_runs import (
    RunPlan,
    RunResponses,
    estimate_run,
    list_lags,
    plan_runs,
)
from brainalign.responses.normalisation import apply_session_statistics, compute_session_statistics
from brainalign.responses.reliability import (
    classify_units,
    estimate_noise_ceiling,
    split_half_reliability,
)
from brainalign.stimuli.read import StimulusSplits

_MB = 1_000_000
_VOXELS_PER_BLOCK = 2048  # whose z-scores are in memory while reliabilities are computed


def build_fmri_responses(
    dataset: BIDSFolder, subject: str, options: FMRIResponseOptions, splits: StimulusSplits | None
) -> xr.Dataset:
    """Build the responses of one subject of a data set of functional volumes and images.

    Parameters
    ----------
    dataset : BIDSFolder
        Gives the runs of the subject.
    subject : str
        Label of the subject.
    options : FMRIResponseOptions
        Regions, cleaning, estimate and reliability.
    splits : StimulusSplits or None
        Training stimuli per fold; None for data without a stimulus store, where every
        presentation counts as training.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, image design, with ``voxel_index`` and ``coordinate_mm`` per unit,
        the grid of the volumes and one of them. Reliability and ceiling are of responses z-scored
        per session over all stimuli: they describe the recording and choose nothing.

    Raises
    ------
    InputError, CorruptDataError
        As the readers of runs, regions and confounds.

    Notes
    -----
    Runs are read one after the other (or ``n_parallel_runs`` at once), each into its rows of one
    array, so memory holds that array and the signals of the runs in work. An array larger than
    ``in_memory_mb`` lies in a temporary file and is written from there chunk by chunk.
    """
    runs = dataset.list_runs(subject)
    plans = plan_runs(dataset, runs, options)
    voxels = choose_voxels(dataset, runs, plans[0].header, options.regions)
    _check_grids(plans)
    store = _gather_runs(plans, voxels, options)
    presentations = store.presentations
    stimulus = presentations["stimulus"].to_numpy(dtype=np.str_)
    session = presentations["session"].to_numpy(dtype=np.str_)
    names = np.unique(session)
    training = mark_training(stimulus, splits)
    statistics, summary = _summarise_voxels(store, stimulus, session, names, training, options)
    return _compose_dataset(store, plans, voxels, names, statistics, summary, options)


class _Gathered:
    """Arrays that runs are written into."""

    def __init__(self, plans: list[RunPlan], n_voxels: int, options: FMRIResponseOptions) -> None:
        self.starts = np.cumsum([0, *(len(plan.presentations) for plan in plans)])
        self.volume_starts = np.cumsum([0, *(plan.header.n_volumes for plan in plans)])
        n_rows, budget = int(self.starts[-1]), options.in_memory_mb * _MB
        self.response = _allocate((n_rows, n_voxels), budget)
        self.not_finite = np.zeros(n_voxels, dtype=bool)
        self.constant = np.zeros(n_voxels, dtype=bool)
        self.cleaned: np.ndarray | None = None
        self.windows: np.ndarray | None = None
        if options.estimate == "time_series":
            n_lags = len(list_lags(options, plans[0].tr_s))
            self.cleaned = _allocate((int(self.volume_starts[-1]), n_voxels), budget)
            self.windows = _allocate((n_rows, n_lags, n_voxels), budget)
        self.presentations = pd.concat(
            [
                plan.presentations.assign(session=plan.run.session, run=plan.run.run)
                for plan in plans
            ],
            ignore_index=True,
        )

    def put(self, position: int, found: RunResponses) -> None:
        """Write the responses of one run into their rows."""
        rows = slice(self.starts[position], self.starts[position + 1])
        self.response[rows] = found.response
        self.not_finite |= found.not_finite
        self.constant |= found.constant
        if self.cleaned is not None and self.windows is not None:
            volumes = slice(self.volume_starts[position], self.volume_starts[position + 1])
            self.cleaned[volumes] = found.cleaned
            self.windows[rows] = found.windows

    def finish(self) -> None:
        """Set unusable voxels to 0 and leave out presentations without an estimate."""
        unusable = self.not_finite | self.constant
        if unusable.any():
            self.response[:, unusable] = 0
        if unusable.all():
            raise InputError(
                "every voxel is constant or not finite",
                found=f"{int(self.constant.sum())} constant, {int(self.not_finite.sum())} not "
                "finite",
                remedy="Check the volumes and the regions.",
            )
        probe = int(np.flatnonzero(~unusable)[0])
        kept = ~np.isnan(self.response[:, probe])
        if not kept.all():
            self.response = self.response[kept]
            self.windows = None if self.windows is None else self.windows[kept]
            self.presentations = self.presentations[kept].reset_index(drop=True)


def _allocate(shape: tuple[int, ...], budget_bytes: int) -> np.ndarray:
    """Make an array in memory, or in a file without a name where it would be too large."""
    if 4 * int(np.prod(shape, dtype=object)) <= budget_bytes:
        return np.empty(shape, dtype=np.float32)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)


def _gather_runs(plans: list[RunPlan], voxels: Voxels, options: FMRIResponseOptions) -> _Gathered:
    gathered = _Gathered(plans, len(voxels.index), options)
    if options.estimate == "glmsingle":
        for position, found in enumerate(estimate_with_glmsingle(plans, voxels, options)):
            gathered.put(position, found)
    elif options.n_parallel_runs == 1:
        for position, plan in enumerate(plans):
            gathered.put(position, estimate_run(plan, voxels, options))
    else:
        for position, found in _estimate_in_threads(plans, voxels, options):
            gathered.put(position, found)
    gathered.finish()
    return gathered


def _estimate_in_threads(
    plans: list[RunPlan], voxels: Voxels, options: FMRIResponseOptions
) -> Iterator[tuple[int, RunResponses]]:
    """Estimate several runs at once; decompression and products leave Python's lock alone."""
    with ThreadPoolExecutor(options.n_parallel_runs) as pool:
        pending: list[tuple[int, Future[RunResponses]]] = []
        for position, plan in enumerate(plans):
            pending.append((position, pool.submit(estimate_run, plan, voxels, options)))
            # No more results wait than threads work: their memory adds up.
            if len(pending) >= options.n_parallel_runs:
                first, future = pending.pop(0)
                yield first, future.result()
        for first, future in pending:
            yield first, future.result()


def _check_grids(plans: list[RunPlan]) -> None:
    first = plans[0].header
    for plan in plans[1:]:
        check_same_grid(plan.header, first.shape, first.affine, f"the first run {first.path.name}")


def _summarise_voxels(
    store: _Gathered,
    stimulus: np.ndarray,
    session: np.ndarray,
    names: np.ndarray,
    training: np.ndarray,
    options: FMRIResponseOptions,
) -> tuple[list[tuple[np.ndarray, np.ndarray]], dict[str, np.ndarray]]:
    n_voxels = store.response.shape[1]
    shape = (len(training), len(names), n_voxels)
    mean, sd = np.empty(shape, np.float32), np.empty(shape, np.float32)
    summary: dict[str, np.ndarray] = {
        name: np.full(n_voxels, np.nan, np.float32)
        for name in ("reliability", "noise_ceiling", "single_trial_ceiling")
    }
    status = np.full(n_voxels, "ok", dtype="<U15")
    everything = np.ones(len(stimulus), dtype=bool)
    for start in range(0, n_voxels, _VOXELS_PER_BLOCK):
        block = slice(start, start + _VOXELS_PER_BLOCK)
        values = np.asarray(store.response[:, block])
        for fold, row in enumerate(training):
            mean[fold, :, block], sd[fold, :, block] = compute_session_statistics(
                values, session, names, row
            )
        described = apply_session_statistics(
            values, session, names, *compute_session_statistics(values, session, names, everything)
        )
        status[block] = classify_units(values, stimulus, options.min_repeated_stimuli)
        ceiling = estimate_noise_ceiling(
            described, stimulus, min_repeated_stimuli=options.min_repeated_stimuli
        )
        summary["noise_ceiling"][block] = ceiling.repeat_mean
        summary["single_trial_ceiling"][block] = ceiling.single_trial
        summary["reliability"][block] = split_half_reliability(
            described,
            stimulus,
            n_splits=options.n_half_splits,
            seed=options.seed,
            min_repeated_stimuli=options.min_repeated_stimuli,
        )
    status[store.constant] = "constant"
    status[store.not_finite] = "not_finite"
    for values in summary.values():
        values[status != "ok"] = np.nan
    return list(zip(mean, sd, strict=True)), {"unit_status": status, **summary}


def _compose_dataset(
    store: _Gathered,
    plans: list[RunPlan],
    voxels: Voxels,
    names: np.ndarray,
    statistics: list[tuple[np.ndarray, np.ndarray]],
    summary: dict[str, np.ndarray],
    options: FMRIResponseOptions,
) -> xr.Dataset:
    presentations = store.presentations
    stimulus = presentations["stimulus"].to_numpy(dtype=np.str_)
    variables: dict[str, object] = {
        "response": (("presentation", "unit"), _make_lazy(store.response)),
        "training_mean": (("fold", "session_name", "unit"), np.stack([m for m, _ in statistics])),
        "training_sd": (("fold", "session_name", "unit"), np.stack([sd for _, sd in statistics])),
        "reference_volume": (("x", "y", "z"), read_first_volume(plans[0].header.path)),
        "affine": (("row", "column"), voxels.affine),
        **{name: ("unit", values) for name, values in summary.items()},
    }
    coords: dict[str, object] = {
        "unit": [f"voxel-{x:03d}-{y:03d}-{z:03d}" for x, y, z in voxels.index.tolist()],
        "area": ("unit", voxels.area),
        "voxel_index": (("unit", "axis"), voxels.index),
        "coordinate_mm": (("unit", "axis"), voxels.coordinate_mm),
        "axis": ["x", "y", "z"],
        "stimulus": ("presentation", stimulus),
        "repeat": ("presentation", number_repeats(stimulus)),
        "session": ("presentation", presentations["session"].to_numpy(dtype=np.str_)),
        "run": ("presentation", presentations["run"].to_numpy(dtype=np.str_)),
        "onset": ("presentation", presentations["onset_s"].to_numpy(dtype=np.float64)),
        "session_name": names,
    }
    if store.cleaned is not None and store.windows is not None:
        variables["cleaned_series"] = (("volume", "unit"), _make_lazy(store.cleaned))
        variables["onset_locked"] = (("presentation", "lag", "unit"), _make_lazy(store.windows))
        coords["lag"] = list_lags(options, plans[0].tr_s) * plans[0].tr_s
        lengths = [plan.header.n_volumes for plan in plans]
        coords["volume_run"] = ("volume", np.repeat([plan.run.run for plan in plans], lengths))
        coords["volume_session"] = (
            "volume",
            np.repeat([plan.run.session for plan in plans], lengths),
        )
        coords["volume_time"] = (
            "volume",
            np.concatenate([np.arange(plan.header.n_volumes) * plan.tr_s for plan in plans]),
        )
    dataset = xr.Dataset(
        variables,
        coords=coords,
        attrs={
            "design": "images",
            "estimate": options.estimate,
            "standardisation": options.standardisation,
            "repetition_time_s": plans[0].tr_s,
        },
    )
    _describe(dataset, options)
    return dataset


def _make_lazy(values: np.ndarray) -> np.ndarray | da.Array:
    """Leave small arrays as they are; those in a file are written chunk by chunk."""
    if not isinstance(values, np.memmap):
        return values
    return da.from_array(values, chunks=("auto", *values.shape[1:]), asarray=False)


def read_first_volume(path: Path) -> np.ndarray:
    """Read the first volume of a run, 0 where it is not finite; shape (x, y, z), float32."""
    image = nib.load(path)
    # A slice of the proxy reads one volume only.
    first = image.dataobj[..., 0]  # type: ignore[attr-defined, unused-ignore]
    return np.nan_to_num(np.asarray(first, dtype=np.float32))


def _describe(dataset: xr.Dataset, options: FMRIResponseOptions) -> None:
    unit = {"percent": "percent", "zscore": "standard deviation", "none": "scanner unit"}[
        options.standardisation if options.estimate != "glmsingle" else "percent"
    ]
    descriptions = {
        "response": (f"response to a presentation ({options.estimate})", unit),
        "training_mean": ("mean over presentations of training stimuli", unit),
        "training_sd": ("standard deviation over presentations of training stimuli", unit),
        "cleaned_series": ("series without drifts and confounds", unit),
        "onset_locked": ("cleaned series after each onset", unit),
        "reference_volume": ("first volume of the first run", "scanner unit"),
        "affine": ("from voxel indices to mm", "mm"),
        "unit_status": ("ok, or why the voxel is left out of means", "1"),
        "reliability": ("split-half reliability, Spearman-Brown corrected", "1"),
        "noise_ceiling": ("explainable share of the variance of the mean over repeats", "1"),
        "single_trial_ceiling": ("explainable share of the variance of one presentation", "1"),
        "unit": ("voxel id, its indices", "1"),
        "area": ("region of the voxel", "1"),
        "voxel_index": ("voxel indices, from 0", "1"),
        "coordinate_mm": ("place in the space of the volumes", "mm"),
        "axis": ("axes of the volumes", "1"),
        "stimulus": ("id of the presented stimulus", "1"),
        "repeat": ("number of the presentation among those of its stimulus, from 0", "1"),
        "session": ("session of the presentation", "1"),
        "run": ("run of the presentation", "1"),
        "onset": ("stimulus onset after the start of the run", "s"),
        "session_name": ("sessions, for the training statistics", "1"),
        "lag": ("time after the volume of the onset", "s"),
        "volume_run": ("run of the volume", "1"),
        "volume_session": ("session of the volume", "1"),
        "volume_time": ("start of the volume after the start of its run", "s"),
    }
    for name, variable in dataset.variables.items():
        long_name, units = descriptions.get(str(name), (str(name).replace("_", " "), "1"))
        variable.attrs.update({"long_name": long_name, "units": units})
