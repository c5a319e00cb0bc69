"""Single-trial responses of all runs at once by GLMsingle, where it is installed."""

from __future__ import annotations

import importlib.util
import tempfile

import numpy as np

from brainalign.errors import InputError
from brainalign.responses.fmri_cleaning import read_confounds
from brainalign.responses.fmri_options import FMRIResponseOptions
from brainalign.responses.fmri_regions import Voxels
from brainalign.responses.fmri_runs import RunPlan, RunResponses, read_signals


def estimate_with_glmsingle(
    plans: list[RunPlan], voxels: Voxels, options: FMRIResponseOptions
) -> list[RunResponses]:
    """Estimate the responses of all runs with GLMsingle (Prince et al. 2022).

    Returns
    -------
    responses : list of RunResponses
        Per run, in percent of the voxel's mean; presentations in the order of onset.

    Raises
    ------
    InputError
        If the package is missing, runs differ in repetition time or events in duration, or no
        stimulus is repeated, on which GLMsingle tunes itself.

    Notes
    -----
    Holds the signals of all runs. GLMsingle samples onsets at the nearest volume and finds its own
    noise regressors; confounds of the configuration are passed on as extra regressors.
    """
    if importlib.util.find_spec("glmsingle") is None:
        raise InputError(
            "GLMsingle is not installed",
            where="responses.estimate: glmsingle",
            remedy="Install it (pip install glmsingle) or choose lss or lsa.",
        )
    from glmsingle.glmsingle import GLM_single  # type: ignore[import-not-found, unused-ignore]

    tr_s = _take_one({plan.tr_s for plan in plans}, "repetition time")
    durations = {float(round(one, 3)) for plan in plans for one in plan.presentations["duration_s"]}
    duration_s = _take_one(durations, "duration of events")
    names = sorted({name for plan in plans for name in plan.presentations["stimulus"]})
    column_of = {name: column for column, name in enumerate(names)}
    signals, designs, extra, marks = [], [], [], []
    for plan in plans:
        series, not_finite, constant = read_signals(plan, voxels)
        signals.append(series.T)
        marks.append((not_finite, constant))
        design = np.zeros((len(series), len(names)))
        rows = np.rint(plan.presentations["onset_s"].to_numpy(dtype=np.float64) / tr_s).astype(int)
        design[rows, [column_of[name] for name in plan.presentations["stimulus"]]] = 1
        designs.append(design)
        extra.append(read_confounds(plan.run, len(series), options.confounds)[0])
    if not (np.sum([design.sum(axis=0) for design in designs], axis=0) > 1).any():
        raise InputError("GLMsingle needs repeated stimuli", remedy="Choose lss or lsa.")
    settings = {
        "wantfileoutputs": [0, 0, 0, 0],
        "wantmemoryoutputs": [0, 0, 0, 1],
        "extra_regressors": extra if any(one.size for one in extra) else False,
    }
    with tempfile.TemporaryDirectory(prefix="glmsingle-") as folder:
        results = GLM_single(settings).fit(
            designs, signals, duration_s, tr_s, outputdir=folder, figuredir=None
        )
    weight = np.asarray(results["typed"]["betasmd"], dtype=np.float32)
    weight = np.ascontiguousarray(weight.reshape(len(voxels.index), -1).T)
    stops = np.cumsum([len(plan.presentations) for plan in plans])
    return [
        RunResponses(block, *mark)
        for block, mark in zip(np.split(weight, stops[:-1]), marks, strict=True)
    ]


def _take_one(values: set[float], what: str) -> float:
    if len(values) != 1:
        raise InputError(
            f"GLMsingle needs one {what}",
            found=", ".join(f"{value:g} s" for value in sorted(values)),
            remedy="Choose lss or lsa.",
        )
    return values.pop()
