"""A planted population of IT units: what each unit prefers, and how strongly it responds.

    drive_u(s)  = sum_g w_ug <p_ug, z_g(s)>,             |p_ug| = 1,  sum_g w_ug^2 = 1
    evoked_u(s) = m_u softplus(k_u drive_u(s)) / mean_s' softplus(k_u drive_u(s'))   [Hz]

with z_g(s) the latents of group g of stimulus s (see ``latents``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .latents import LATENT_GROUPS, slice_group
from .options import SimulatedITOptions
from .streams import derive_generator


@dataclass(frozen=True)
class ITPopulation:
    """Planted properties of the units of one animal.

    Parameters
    ----------
    unit : array of shape (n_units,)
        Persistent ids such as ``monkey-a_unit-007``.
    group_weight : array of shape (n_units, n_groups)
        w: weight of each latent group in a unit's drive, not negative; squares sum to 1.
    projection : array of shape (n_units, n_latents)
        p: preferred direction within each group, of unit norm per group.
    mean_evoked_rate : array of shape (n_units,)
        m: mean over stimuli of the added rate, Hz.
    spontaneous_rate : array of shape (n_units,)
        Rate without a stimulus, Hz.
    selectivity : array of shape (n_units,)
        k: gain of the drive before the nonlinearity.
    latency : array of shape (n_units,)
        Response latency, s.
    private_gain_variance : array of shape (n_units,)
        Variance over trials of a unit's own gain, which has mean 1.
    shared_loading : array of shape (n_units, n_shared_dimensions)
        Log gain per unit of each shared fluctuation.
    """

    unit: np.ndarray
    group_weight: np.ndarray
    projection: np.ndarray
    mean_evoked_rate: np.ndarray
    spontaneous_rate: np.ndarray
    selectivity: np.ndarray
    latency: np.ndarray
    private_gain_variance: np.ndarray
    shared_loading: np.ndarray


def draw_population(options: SimulatedITOptions, subject: str) -> ITPopulation:
    """Draw the units of one animal.

    Parameters
    ----------
    options : SimulatedITOptions
        Number of units, rates and noise.
    subject : str
        Key of ``options.subjects``.

    Returns
    -------
    population : ITPopulation
        Depends on the seed and the subject only, not on what other animals there are.
    """
    generator = derive_generator(options.seed, "population", subject)
    n_units, noise = options.subjects[subject], options.noise
    share = generator.dirichlet([options.group_concentration] * len(LATENT_GROUPS), n_units)
    projection = generator.standard_normal((n_units, sum(LATENT_GROUPS.values())))
    for group in LATENT_GROUPS:
        columns = slice_group(group)
        projection[:, columns] /= np.linalg.norm(projection[:, columns], axis=1, keepdims=True)

    def draw_lognormal(median: float, spread: float) -> np.ndarray:
        return median * np.exp(spread * generator.standard_normal(n_units))

    mean_evoked_rate = draw_lognormal(options.mean_evoked_rate_hz, options.rate_spread)
    loading = generator.standard_normal((n_units, noise.n_shared_dimensions))
    return ITPopulation(
        unit=np.array([f"{subject}_unit-{index + 1:03d}" for index in range(n_units)]),
        group_weight=np.sqrt(share),
        projection=projection,
        mean_evoked_rate=mean_evoked_rate,
        spontaneous_rate=options.spontaneous_share * mean_evoked_rate,
        selectivity=draw_lognormal(options.selectivity, options.selectivity_spread),
        latency=np.clip(
            options.latency_s + options.latency_spread_s * generator.standard_normal(n_units),
            0.5 * options.latency_s,
            1.5 * options.latency_s,
        ),
        private_gain_variance=draw_lognormal(
            noise.private_gain_variance, noise.private_gain_spread
        ),
        shared_loading=noise.shared_strength * loading / np.sqrt(max(noise.n_shared_dimensions, 1)),
    )


def compute_drive(population: ITPopulation, latent: np.ndarray) -> np.ndarray:
    """Compute the drive of every unit by every stimulus.

    Parameters
    ----------
    population : ITPopulation
        The units.
    latent : array of shape (n_stimuli, n_latents)
        Latents of the stimuli, groups one after the other.

    Returns
    -------
    drive : array of shape (n_stimuli, n_units)
        About unit variance over the single-object stimuli.
    """
    weight = np.repeat(population.group_weight, list(LATENT_GROUPS.values()), axis=1)
    return latent @ (weight * population.projection).T


def compute_evoked_rate(population: ITPopulation, latent: np.ndarray) -> np.ndarray:
    """Compute the mean rate that each stimulus adds while a unit responds.

    Parameters
    ----------
    population : ITPopulation
        The units.
    latent : array of shape (n_stimuli, n_latents)
        Latents of all single-object stimuli of the world, over which the mean is taken.

    Returns
    -------
    evoked : array of shape (n_stimuli, n_units)
        Hz; the mean over stimuli is ``mean_evoked_rate``.
    """
    activation = np.logaddexp(0, population.selectivity * compute_drive(population, latent))
    return population.mean_evoked_rate * activation / activation.mean(axis=0)
