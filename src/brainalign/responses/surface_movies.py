"""Assemble the response store of one subject from surface series of movies."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats

from brainalign.errors import InputError
from brainalign.raw.cc2017 import CC2017Folder, SurfaceRun, read_surface
from brainalign.raw.cc2017_options import SurfaceResponseOptions
from brainalign.responses.movie_reliability import estimate_movie_reliability

CORTEX = "cortex"


def build_surface_movie_responses(
    dataset: CC2017Folder, subject: str, options: SurfaceResponseOptions
) -> xr.Dataset:
    """Build the responses of one subject.

    Parameters
    ----------
    dataset : CC2017Folder
        Gives runs.
    subject : str
        Such as ``subject1``.
    options : SurfaceResponseOptions
        Cleaning and choice of vertices.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, movie design, a unit per kept vertex of the cortex.

    Raises
    ------
    InputError
        If vertices differ between runs, or none is reproducible.
    CorruptDataError
        If a series cannot be read.

    Notes
    -----
    Series are read twice, to choose vertices and to keep them: memory holds two runs and what is
    kept. Test movies play no part in the choice. BOLD ends with the movie, so the last windows of
    a segment have no answer and are left out.
    """
    runs = dataset.list_surface_runs(subject)
    n_trs, tr_s = dataset.options.trs_per_movie, dataset.options.tr_s
    _, unit = read_surface(runs[0], n_trs)
    kept = _choose_vertices(runs, unit, n_trs, options)
    response = np.empty((len(runs), n_trs, int(kept.sum())), dtype=np.float32)
    for row, run in enumerate(runs):
        response[row] = _read_cleaned(run, unit, n_trs, options)[:, kept]
    movie = np.array([run.movie for run in runs])
    found = estimate_movie_reliability(response, movie, options.n_half_splits, options.seed)
    spread = np.ptp(response, axis=(0, 1))
    status = np.where(spread > 0, "ok", "constant")
    dataset_ = xr.Dataset(
        {
            "response": (("trial", "time", "unit"), response),
            "unit_status": ("unit", status),
            "reliability": ("unit", found.reliability.astype(np.float32)),
            "noise_ceiling": ("unit", found.noise_ceiling.astype(np.float32)),
            "oracle_correlation": ("unit", found.oracle_correlation.astype(np.float32)),
            "explainable_variance": ("unit", found.explainable_variance.astype(np.float32)),
        },
        coords={
            "unit": unit[kept],
            "area": ("unit", np.full(int(kept.sum()), CORTEX)),
            "time": np.arange(n_trs) * tr_s,
            "movie": ("trial", movie),
            "repeat": ("trial", np.array([run.repeat - 1 for run in runs], dtype=np.int32)),
            "session": ("trial", np.full(len(runs), "1")),
        },
        attrs={"design": "movies", "modality": "fmri", "bin_s": tr_s, "repetition_time_s": tr_s},
    )
    for name, variable in dataset_.variables.items():
        variable.attrs["long_name"] = str(name).replace("_", " ")
        variable.attrs["units"] = "s" if name == "time" else "1"
    return dataset_


def _read_cleaned(
    run: SurfaceRun, unit: np.ndarray, n_trs: int, options: SurfaceResponseOptions
) -> np.ndarray:
    series, found = read_surface(run, n_trs)
    if not np.array_equal(found, unit):
        raise InputError(
            "runs have different vertices",
            where=run.path,
            expected=f"the {len(unit)} of the first run",
            found=len(found),
        )
    return detrend(series, options.polynomial_order)


def detrend(series: np.ndarray, order: int) -> np.ndarray:
    """Take a polynomial out of every column and z-score it.

    Parameters
    ----------
    series : array of shape (n_trs, n_vertices)
        Signals.
    order : int
        Of the polynomial.

    Returns
    -------
    cleaned : array of shape (n_trs, n_vertices), float32
        0 for columns that do not vary or are not finite.
    """
    time = np.linspace(-1, 1, len(series))
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(time, order))
    finite = np.isfinite(series).all(0)
    values = np.where(finite, series, 0).astype(np.float64)
    rest = values - basis @ (basis.T @ values)
    deviation = rest.std(0)
    varies = deviation > 1e-6 * np.maximum(np.abs(values).max(0), 1e-12)
    return np.where(varies, rest / np.where(varies, deviation, 1), 0).astype(np.float32)


def _choose_vertices(
    runs: list[SurfaceRun], unit: np.ndarray, n_trs: int, options: SurfaceResponseOptions
) -> np.ndarray:
    """Vertices whose training responses repeat; all where there are no repeats or p is 1."""
    pairs: dict[str, list[SurfaceRun]] = {}
    for run in runs:
        if run.movie.startswith("seg"):
            pairs.setdefault(run.movie, []).append(run)
    repeated = [pair[:2] for pair in pairs.values() if len(pair) > 1]
    if not repeated or options.largest_p == 1:
        return np.ones(len(unit), dtype=bool)
    total = np.zeros(len(unit))
    for first, second in repeated:
        one, other = (_read_cleaned(run, unit, n_trs, options) for run in (first, second))
        total += np.einsum("tv,tv->v", one, other, dtype=np.float64)
    n_samples = n_trs * len(repeated)
    correlation = np.clip(total / n_samples, -0.999999, 0.999999)
    statistic = correlation * np.sqrt((n_samples - 2) / (1 - correlation**2))
    p = stats.t.sf(statistic, n_samples - 2) * len(unit)
    kept = p < options.largest_p
    if not kept.any():
        raise InputError(
            "no vertex is reproducible over two runs of the training segments",
            where=runs[0].path.parent,
            expected=f"p below {options.largest_p:g} after correction",
            found=f"smallest p {p.min():.3g}",
            remedy="Raise responses.largest_p.",
        )
    return kept
