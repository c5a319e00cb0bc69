"""From planted drives to scanned volumes of one run.

    percent(t, v) = sum_i h(t - t_i - delay_v) a_iv + drift(t, v) + noise(t, v)
    a_iv          = mean + sd_v (drive_v(stimulus_i) + trial_share n_iv)
    n_iv          = sqrt(1 - c) e_iv + sqrt(c) drive_v(another stimulus)

The share c of the noise moves all voxels as a stimulus would, and so limits what can be decoded
from any number of them (Moreno-Bote et al. 2014, doi 10.1038/nn.3807). Drives have mean 0 and
variance 1, so that it changes no voxel's noise ceiling.

The volume is the still image times (1 + percent / 100), moved rigidly. The truth also holds the
variance that an all-trials least-squares estimate has from the AR(1) noise, which follows from the
design alone, so that the noise ceiling of estimated responses is known before any is estimated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nilearn.glm.first_level import glover_hrf
from scipy import ndimage, signal

from brainalign.raw.rigid import compose_rigid, find_centre

from .fmri_anatomy import Anatomy
from .fmri_options import FMRIScannerOptions, SimulatedFMRIOptions
from .fmri_population import VoxelPopulation
from .fmri_session import RunPlan
from .streams import derive_generator

_DELAY_STEP_S = 0.1
_STEPS_PER_TR = 20
_HRF_LENGTH_S = 32.0
_DRIFT_CUTOFF_S = 128.0  # longer periods are taken out before a ceiling is stated
_RICIAN_FLOOR = 0.0


def compute_regressors(
    onset_s: np.ndarray, duration_s: float, n_volumes: int, tr_s: float, delay_s: float = 0.0
) -> np.ndarray:
    """Compute the BOLD time course of every trial for one delay.

    Returns
    -------
    regressors : array of shape (n_volumes, n_trials)
        Response of unit height to one trial, at the start of each volume.

    Notes
    -----
    The double-gamma response of Glover (1999) as nilearn samples it, convolved with a box.
    """
    step = tr_s / _STEPS_PER_TR
    kernel = glover_hrf(tr_s, oversampling=_STEPS_PER_TR, time_length=_HRF_LENGTH_S)
    box = np.ones(max(1, round(duration_s / step)))
    shape = np.convolve(box, kernel)
    shape /= shape.max()
    times = np.arange(n_volumes)[:, np.newaxis] * tr_s - onset_s - delay_s
    return np.interp(times, np.arange(len(shape)) * step, shape, left=0.0, right=0.0)


def draw_run(
    options: SimulatedFMRIOptions,
    subject: str,
    plan: RunPlan,
    population: VoxelPopulation,
    anatomy: Anatomy,
    row_of: dict[str, int],
) -> np.ndarray:
    """Draw the signal of every voxel in one run before the head moves.

    Parameters
    ----------
    row_of : dict of str to int
        Row of each stimulus in ``population.drive``.

    Returns
    -------
    series : array of shape (n_volumes, x, y, z), float32
        Scanner units.
    """
    generator = derive_generator(options.seed, "fmri-noise", subject, plan.run)
    return compose_series(
        generator,
        options,
        anatomy,
        population.index,
        plan.n_volumes,
        lambda stream: _draw_responses(stream, options, plan, population, row_of),
    )


def compose_series(
    generator: np.random.Generator,
    options: FMRIScannerOptions,
    anatomy: Anatomy,
    index: np.ndarray,
    n_volumes: int,
    draw_responses: Callable[[np.random.Generator], np.ndarray],
) -> np.ndarray:
    """Add responses, drifts and noise to the still image of a head.

    Parameters
    ----------
    generator : numpy.random.Generator
        Stream of the run.
    options : FMRIScannerOptions
        Noise and repetition time.
    anatomy : Anatomy
        Still image and brain.
    index : array of shape (n_voxels, 3), int
        Voxels that respond.
    n_volumes : int
        Length of the run.
    draw_responses : callable
        Gives their responses in percent of the baseline, (n_volumes, n_voxels).

    Returns
    -------
    series : array of shape (n_volumes, x, y, z), float32
        Scanner units.
    """
    shape, noise = anatomy.brain.shape, options.noise
    inside = np.flatnonzero(anatomy.brain)
    white = generator.standard_normal((n_volumes, len(inside)), dtype=np.float32)
    rho = noise.ar_coefficient
    white[1:] *= np.sqrt(1 - rho**2)
    percent = noise.thermal_percent * signal.lfilter([1.0], [1.0, -rho], white, axis=0)
    percent += _draw_drift(generator, options, n_volumes, len(inside))
    column = np.searchsorted(inside, np.ravel_multi_index(index.T, shape))
    percent[:, column] += draw_responses(generator)
    series = np.empty((n_volumes, anatomy.baseline.size), dtype=np.float32)
    outside = np.flatnonzero(~anatomy.brain)
    still = anatomy.baseline.ravel()
    series[:, inside] = still[inside] * (1 + percent / 100)
    scatter = generator.standard_normal((n_volumes, len(outside)), dtype=np.float32)
    series[:, outside] = np.maximum(still[outside] + 3 * scatter, _RICIAN_FLOOR)
    return series.reshape(n_volumes, *shape)


def _draw_responses(
    generator: np.random.Generator,
    options: SimulatedFMRIOptions,
    plan: RunPlan,
    population: VoxelPopulation,
    row_of: dict[str, int],
) -> np.ndarray:
    drive = population.drive[[row_of[name] for name in plan.stimulus]]
    shared = options.noise.shared_trial_share
    scatter = np.sqrt(1 - shared) * generator.standard_normal(drive.shape)
    scatter += np.sqrt(shared) * population.drive[_draw_others(generator, plan, row_of)]
    drive = drive + options.noise.trial_share * scatter
    amplitude = options.mean_percent + population.signal_sd * drive
    step = np.rint(population.delay_s / _DELAY_STEP_S).astype(int)
    response = np.empty((plan.n_volumes, len(step)))
    for delay in np.unique(step):
        chosen = step == delay
        regressors = compute_regressors(
            plan.onset_s,
            options.stimulus_on_s,
            plan.n_volumes,
            options.tr_s,
            delay * _DELAY_STEP_S,
        )
        response[:, chosen] = regressors @ amplitude[:, chosen]
    return response


def _draw_others(
    generator: np.random.Generator, plan: RunPlan, row_of: dict[str, int]
) -> np.ndarray:
    """Pick, for every trial, the row of a stimulus other than the one that is shown."""
    shown = np.array([row_of[name] for name in plan.stimulus])
    return (shown + generator.integers(1, len(row_of), size=len(shown))) % len(row_of)


def _draw_drift(
    generator: np.random.Generator, options: FMRIScannerOptions, n_volumes: int, n_voxels: int
) -> np.ndarray:
    duration = n_volumes * options.tr_s
    n_waves = int(2 * duration / options.noise.drift_period_s)
    if not n_waves or not options.noise.drift_percent:
        return np.zeros((1, n_voxels))
    time = (np.arange(n_volumes) + 0.5) / n_volumes
    waves = np.cos(np.pi * np.arange(1, n_waves + 1) * time[:, np.newaxis])
    weight = generator.standard_normal((n_waves, n_voxels))
    return options.noise.drift_percent * np.sqrt(2 / n_waves) * waves @ weight


def move_volumes(series: np.ndarray, motion: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Move every volume rigidly by its motion.

    Parameters
    ----------
    series : array of shape (n_volumes, x, y, z)
        Volumes of a still head.
    motion : array of shape (n_volumes, 6)
        Parameters as in :func:`brainalign.raw.rigid.compose_rigid`.
    affine : array of shape (4, 4)
        From voxel indices to mm.

    Returns
    -------
    moved : array of shape (n_volumes, x, y, z), float32
        Cubic splines.
    """
    centre = find_centre(series.shape[1:], affine)
    moved = np.empty_like(series)
    for volume, parameters in enumerate(motion):
        if not parameters.any():
            moved[volume] = series[volume]
            continue
        back = np.linalg.inv(affine) @ np.linalg.inv(compose_rigid(parameters, centre)) @ affine
        ndimage.affine_transform(
            series[volume], back[:3, :3], back[:3, 3], order=3, mode="nearest", output=moved[volume]
        )
    return moved


def compute_estimation_variance(
    options: SimulatedFMRIOptions, plan: RunPlan, motion: np.ndarray
) -> float:
    """Compute the variance of all-trials least-squares estimates for unit thermal noise.

    Parameters
    ----------
    motion : array of shape (n_volumes, 6)
        Regressed out together with cosines slower than 128 s and the mean.

    Returns
    -------
    variance : float
        Mean over the run's trials of the diagonal of P V P', with P the estimator and V the
        correlation of the AR(1) noise.
    """
    regressors = compute_regressors(
        plan.onset_s, options.stimulus_on_s, plan.n_volumes, options.tr_s
    )
    n_waves = int(2 * plan.n_volumes * options.tr_s / _DRIFT_CUTOFF_S)
    time = (np.arange(plan.n_volumes) + 0.5) / plan.n_volumes
    waves = np.cos(np.pi * np.arange(n_waves + 1) * time[:, np.newaxis])
    moves = [motion / (motion.std(axis=0) + (motion.std(axis=0) == 0))]
    estimator = np.linalg.pinv(np.concatenate([regressors, waves, *moves], axis=1))
    estimator = estimator[: len(plan.onset_s)]
    lag = np.abs(np.subtract.outer(np.arange(plan.n_volumes), np.arange(plan.n_volumes)))
    correlation = options.noise.ar_coefficient**lag if options.noise.ar_coefficient else lag == 0
    return float(np.mean(np.einsum("it,ts,is->i", estimator, correlation, estimator)))
