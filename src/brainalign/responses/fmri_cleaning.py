"""Clean the series of one run: drifts and confounds out, one unit for all voxels.

The projection is the same as that of ``nilearn.signal.clean`` with a cosine filter and without
detrending (tested to 1e-4), done once by a QR decomposition in single precision of the signals and
double precision of the regressors; nilearn's default Butterworth filter costs many times as much.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from nilearn.glm.first_level.design_matrix import create_cosine_drift
from nilearn.interfaces.fmriprep import load_confounds
from scipy.linalg.blas import sgemm

from brainalign.errors import InputError
from brainalign.raw.bids.events import read_table
from brainalign.raw.bids.runs import BOLDRun
from brainalign.responses.fmri_options import ConfoundOptions

_ROUNDING = 1e-7  # of a constant series that was scaled in single precision
_COLUMN_TOLERANCE = 1e-8
# Voxels that are cleaned together: their series stay in the cache of a core between the steps.
_N_TOGETHER = 768


def read_confounds(
    run: BOLDRun, n_volumes: int, options: ConfoundOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Read what is regressed out of a run, and which volumes are kept.

    Parameters
    ----------
    run : BOLDRun
        The run; without a table of confounds there are none.
    n_volumes : int
        Volumes of the run.
    options : ConfoundOptions
        Groups and thresholds.

    Returns
    -------
    confounds : array of shape (n_volumes, n_confounds)
        In their own units, of mean 0.
    kept : array of shape (n_volumes,), bool
        False for volumes that are scrubbed.

    Raises
    ------
    InputError
        If the table lacks what is asked for or has another number of rows.

    Notes
    -----
    ``nilearn.interfaces.fmriprep.load_confounds`` reads the tables of derivatives. Beside raw
    volumes (``preprocessing.kind: none``) it finds none: there the columns of motion are read by
    name.
    """
    kept = np.ones(n_volumes, dtype=bool)
    if run.confounds is None or not options.strategy:
        return np.zeros((n_volumes, 0)), kept
    if run.confounds.parent != run.bold.parent:
        table = _read_motion(run, options)
    else:
        table, sample = _load_confounds(run, options)
        if sample is not None:
            kept[:] = False
            kept[sample] = True
    if len(table) != n_volumes:
        raise InputError(
            "confounds and volumes differ in number",
            where=run.confounds,
            expected=f"{n_volumes} rows, one per volume of {run.bold.name}",
            found=len(table),
            remedy="Make the confounds again from these volumes.",
        )
    values = np.nan_to_num(table.to_numpy(dtype=np.float64))
    return values - values.mean(axis=0), kept


def _load_confounds(
    run: BOLDRun, options: ConfoundOptions
) -> tuple[pd.DataFrame, np.ndarray | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, sample = load_confounds(
                str(run.bold),
                strategy=tuple(options.strategy),
                motion=options.motion,
                scrub=options.scrub_segment_volumes,
                fd_threshold=options.fd_threshold_mm,
                std_dvars_threshold=options.std_dvars_threshold,
                wm_csf=options.wm_csf,
                global_signal=options.global_signal,
                compcor=options.compcor,
                n_compcor=options.n_compcor,
                ica_aroma=options.ica_aroma,
                demean=True,
            )
    except ValueError as error:
        raise InputError(
            "the confounds cannot be loaded",
            where=run.confounds,
            found=" ".join(str(error).split()),
            remedy="Choose what the table holds as responses.confounds.strategy.",
        ) from error
    return table, sample


def _read_motion(run: BOLDRun, options: ConfoundOptions) -> pd.DataFrame:
    """Read motion by column names, for tables that do not stand beside their volumes."""
    if options.strategy != ["motion"]:
        raise InputError(
            "beside raw volumes only motion can be regressed out",
            where=run.confounds,
            expected="responses.confounds.strategy: [motion]",
            found=options.strategy,
        )
    assert run.confounds is not None
    table = read_table(run.confounds)
    endings = {
        "basic": [""],
        "power2": ["", "_power2"],
        "derivatives": ["", "_derivative1"],
        "full": ["", "_derivative1", "_power2", "_derivative1_power2"],
    }[options.motion]
    names = [
        f"{kind}_{axis}{end}" for kind in ("trans", "rot") for axis in "xyz" for end in endings
    ]
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(
            "the confounds lack columns of motion", where=run.confounds, found=", ".join(missing)
        )
    return table[names].apply(pd.to_numeric, errors="coerce")


def compose_nuisance(
    confounds: np.ndarray, n_volumes: int, tr_s: float, high_pass_hz: float
) -> np.ndarray:
    """Join confounds, slow cosines and the mean to one set of regressors.

    Returns
    -------
    nuisance : array of shape (n_volumes, n_regressors)
        Columns of unit norm; those without variance are left out, the mean is the last.
    """
    frame_times = np.arange(n_volumes) * tr_s
    if high_pass_hz > 0:
        drift = create_cosine_drift(high_pass_hz, frame_times)
    else:
        drift = np.ones((n_volumes, 1))
    columns = np.concatenate([confounds, drift], axis=1)
    norm = np.linalg.norm(columns, axis=0)
    varies = norm > _COLUMN_TOLERANCE
    return columns[:, varies] / norm[varies]


def find_basis(columns: np.ndarray) -> np.ndarray:
    """Find an orthonormal basis of what columns span, shape (n_rows, rank).

    Raises
    ------
    InputError
        If they span everything, so that nothing would be left of a signal.
    """
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    rank = int(np.sum(values > _COLUMN_TOLERANCE * values[0]))
    if rank >= len(columns):
        raise InputError(
            "confounds and drifts leave nothing of the signal",
            expected=f"fewer than {len(columns)} independent regressors",
            found=rank,
            remedy="Choose fewer confounds or a lower high_pass_hz.",
        )
    return left[:, :rank]


def project_out(series: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Take the part of series that a basis spans away.

    Parameters
    ----------
    series : array of shape (n_volumes, n_voxels), float32
        Signals; overwritten where they lie in one piece.
    basis : array of shape (n_volumes, rank)
        Orthonormal columns.
    """
    narrow = basis.astype(np.float32, copy=False)
    share = narrow.T @ series
    # series - narrow share in one call and without an array between; BLAS counts columns first.
    return sgemm(-1.0, share.T, narrow.T, 1.0, series.T, overwrite_c=True).T


def find_scale(cleaned: np.ndarray, mean: np.ndarray, how: str) -> np.ndarray:
    """Find what cleaned series are multiplied by; 0 for voxels that do not vary.

    Parameters
    ----------
    cleaned : array of shape (n_volumes, n_voxels), float32
        Of mean 0.
    mean : array of shape (n_voxels,)
        Mean of the signal before.
    how : {"percent", "zscore", "none"}
        As :class:`brainalign.responses.fmri_options.FMRIResponseOptions`.

    Returns
    -------
    scale : array of shape (n_voxels,), float32
    """
    # Cleaned series have no mean; numpy's own std would make copies of them.
    power = np.einsum("tv,tv->v", cleaned, cleaned)
    deviation = np.sqrt(power / max(len(cleaned) - 1, 1))
    varies = deviation > _ROUNDING * np.maximum(np.abs(mean), 1e-12)
    scale = varies.astype(np.float32)
    if how == "zscore":
        scale[varies] /= deviation[varies]
    if how == "percent":
        varies &= mean > 0
        scale = np.where(varies, 100 / np.where(varies, mean, 1), 0).astype(np.float32)
    return scale


def clean_series(
    series: np.ndarray,
    confounds: np.ndarray,
    tr_s: float,
    high_pass_hz: float,
    standardisation: str,
    kept: np.ndarray | None = None,
) -> np.ndarray:
    """Regress drifts and confounds out of the series of a run and scale them.

    Parameters
    ----------
    series : array of shape (n_volumes, n_voxels), float32
        Signals; overwritten.
    confounds : array of shape (n_volumes, n_confounds)
        Regressed out.
    tr_s, high_pass_hz : float
        Repetition time in s; slower cosines are regressed out.
    standardisation : {"percent", "zscore", "none"}
        Unit of the result.
    kept : array of shape (n_volumes,), bool, optional
        Volumes to fit; others become NaN.

    Returns
    -------
    cleaned : array of shape (n_volumes, n_voxels), float32
    """
    nuisance = compose_nuisance(confounds, len(series), tr_s, high_pass_hz)
    rows = slice(None) if kept is None or kept.all() else np.flatnonzero(kept)
    basis = find_basis(nuisance[rows]).astype(np.float32)
    weight = np.full(len(basis), 1 / len(basis), dtype=np.float32)
    for start in range(0, series.shape[1], _N_TOGETHER):
        columns = slice(start, start + _N_TOGETHER)
        signal = series[rows, columns]
        mean = weight @ signal
        # The mean goes first: rounding is then relative to the fluctuations, not to the level.
        cleaned = project_out(signal - mean, basis)
        cleaned *= find_scale(cleaned, mean, standardisation)
        series[rows, columns] = cleaned
    if kept is not None:
        series[~kept] = np.nan
    return series
