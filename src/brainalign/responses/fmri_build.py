"""Assemble the response store of one subject from its functional runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

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
from brainalign.responses.voxel_summary import describe_variables, summarise_voxels
from brainalign.stimuli.read import StimulusSplits
from brainalign.stores.spill import allocate_array, make_lazy


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
    training = mark_training(stimulus, splits)
    statistics, summary = summarise_voxels(
        store.response,
        {"constant": store.constant, "not_finite": store.not_finite},
        stimulus,
        session,
        training,
        options,
    )
    return _compose_dataset(store, plans, voxels, statistics, summary, options)


class _Gathered:
    """Arrays that runs are written into."""

    def __init__(self, plans: list[RunPlan], n_voxels: int, options: FMRIResponseOptions) -> None:
        self.starts = np.cumsum([0, *(len(plan.presentations) for plan in plans)])
        self.volume_starts = np.cumsum([0, *(plan.header.n_volumes for plan in plans)])
        n_rows, budget = int(self.starts[-1]), options.in_memory_mb
        self.response = allocate_array((n_rows, n_voxels), np.float32, budget)
        self.not_finite = np.zeros(n_voxels, dtype=bool)
        self.constant = np.zeros(n_voxels, dtype=bool)
        self.cleaned: np.ndarray | None = None
        self.windows: np.ndarray | None = None
        if options.estimate == "time_series":
            n_lags = len(list_lags(options, plans[0].tr_s))
            n_volumes = int(self.volume_starts[-1])
            self.cleaned = allocate_array((n_volumes, n_voxels), np.float32, budget)
            self.windows = allocate_array((n_rows, n_lags, n_voxels), np.float32, budget)
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


def _compose_dataset(
    store: _Gathered,
    plans: list[RunPlan],
    voxels: Voxels,
    statistics: dict[str, np.ndarray],
    summary: dict[str, np.ndarray],
    options: FMRIResponseOptions,
) -> xr.Dataset:
    presentations = store.presentations
    stimulus = presentations["stimulus"].to_numpy(dtype=np.str_)
    variables: dict[str, object] = {
        "response": (("presentation", "unit"), make_lazy(store.response)),
        **{name: (("fold", "session_name", "unit"), one) for name, one in statistics.items()},
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
        "session_name": np.unique(presentations["session"].to_numpy(dtype=np.str_)),
    }
    if store.cleaned is not None and store.windows is not None:
        variables["cleaned_series"] = (("volume", "unit"), make_lazy(store.cleaned))
        variables["onset_locked"] = (("presentation", "lag", "unit"), make_lazy(store.windows))
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
            "space": _find_space(plans[0].header.path),
        },
    )
    by_standardisation = {"percent": "percent", "zscore": "standard deviation"}
    how = "percent" if options.estimate == "glmsingle" else options.standardisation
    describe_variables(dataset, options.estimate, by_standardisation.get(how, "scanner unit"))
    return dataset


def _find_space(path: Path) -> str:
    """Read the space of volumes from their name; without one it is the subject's own."""
    found = re.search(r"_space-([A-Za-z0-9]+)_", path.name)
    return found[1] if found else "subject"


def read_first_volume(path: Path) -> np.ndarray:
    """Read the first volume of a run, 0 where it is not finite; shape (x, y, z), float32."""
    image = nib.load(path)
    # A slice of the proxy reads one volume only.
    first = image.dataobj[..., 0]  # type: ignore[attr-defined, unused-ignore]
    return np.nan_to_num(np.asarray(first, dtype=np.float32))
