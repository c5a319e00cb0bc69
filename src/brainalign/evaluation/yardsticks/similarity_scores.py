"""RSA and CKA of all layers with all areas of the subjects, with chance and corrected p-values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from brainalign.evaluation.yardsticks.encoding_scores import EACH, TakeFeatures
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.permutation import compare_by_permutation, square_rdms
from brainalign.evaluation.yardsticks.recordings import YardstickSubject
from brainalign.evaluation.yardsticks.resampling import (
    bootstrap_rdm_correlation,
    draw_halves,
    draw_weights,
    resample_cka,
)
from brainalign.evaluation.yardsticks.similarity_analysis import (
    compute_centred_gram,
    compute_rdm,
    estimate_rdm_ceiling,
)

TASK = "representational_similarity"
RSA, CKA = "rsa_spearman", "linear_cka"


def score_similarity(
    subject: YardstickSubject,
    layers: list[str],
    take_features: TakeFeatures,
    options: YardstickOptions,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare every layer with every area of one subject on the test stimuli.

    Parameters
    ----------
    subject : YardstickSubject
        Mean responses.
    layers : list of str
        Paths of layers in the feature store.
    take_features : callable
        Features of a layer for stimuli by id.
    options : YardstickOptions
        Permutations, draws and coverage.

    Returns
    -------
    scores : pandas.DataFrame
        Values with chance (mean over permutations) and intervals over stimuli.
    tests : pandas.DataFrame
        ``p_value`` and ``p_corrected`` of the same rows; corrected over all layers and areas of
        the subject. Areas with fewer than two units have no RDM and no row.
    """
    stimulus, response = subject.join_test_stimuli()
    areas = [area for area in subject.list_areas() if subject.choose_units(area).sum() >= 2]
    brain = {area: response[:, subject.choose_units(area)] for area in areas}
    model = {layer: take_features(layer, stimulus) for layer in layers}
    draws = len(stimulus), options.n_bootstrap, options.seed
    scores, tests = [], []
    for metric, lay_out, resample, weights in (
        (RSA, _rank_distances, bootstrap_rdm_correlation, draw_weights(*draws)),
        (CKA, _stack_grams, resample_cka, draw_halves(*draws)),
    ):
        first, second = lay_out(list(model.values())), lay_out(list(brain.values()))
        value = first.reshape(len(first), -1) @ second.reshape(len(second), -1).T
        permuted = compare_by_permutation(first, second, options.n_permutations, options.seed)
        for row, layer in enumerate(layers):
            for column, area in enumerate(areas):
                drawn = resample(first[row], second[column], weights)
                low, high = _take_interval(value[row, column], drawn, options.level)
                identity = {
                    "subject": subject.subject,
                    "area": area,
                    "feature": layer,
                    "task": TASK,
                    "metric": metric,
                    "matching": EACH,
                }
                scores.append(
                    {
                        **identity,
                        "direction": "higher",
                        "value": value[row, column],
                        "ci_low": low,
                        "ci_high": high,
                        "chance": permuted.chance[row, column],
                        "ceiling": np.nan,
                        "n_queries": len(stimulus),
                    }
                )
                tests.append(
                    {
                        **identity,
                        "p_value": permuted.p_value[row, column],
                        "p_corrected": permuted.p_corrected[row, column],
                    }
                )
    return pd.DataFrame(scores), pd.DataFrame(tests)


def estimate_area_ceilings(subjects: list[YardstickSubject]) -> pd.DataFrame:
    """Bounds that RSA can reach given how much subjects differ.

    Parameters
    ----------
    subjects : list of YardstickSubject
        All subjects of a data set.

    Returns
    -------
    ceilings : pandas.DataFrame
        ``area``, ``lower``, ``upper``, ``n_subjects`` and ``n_stimuli``; over the test stimuli that
        all subjects with the area saw. Areas of one subject, or with fewer than three common
        stimuli, have none.
    """
    rows = []
    for area in sorted({area for subject in subjects for area in subject.list_areas()}):
        shown = [
            (*subject.join_test_stimuli(), subject.choose_units(area))
            for subject in subjects
            if subject.choose_units(area).sum() >= 2
        ]
        if len(shown) < 2:
            continue
        common = sorted(set.intersection(*(set(stimulus.tolist()) for stimulus, _, _ in shown)))
        if len(common) < 3:
            continue
        rdms = [
            compute_rdm(response[np.isin(stimulus, common)][:, chosen])
            for stimulus, response, chosen in shown
        ]
        ceiling = estimate_rdm_ceiling(np.stack(rdms))
        rows.append((area, ceiling.lower, ceiling.upper, len(rdms), len(common)))
    return pd.DataFrame(rows, columns=["area", "lower", "upper", "n_subjects", "n_stimuli"])


def _rank_distances(patterns: list[NDArray[np.floating]]) -> NDArray[np.float64]:
    ranks = rankdata(np.stack([compute_rdm(pattern) for pattern in patterns]), axis=1)
    return square_rdms(ranks, len(patterns[0]))


def _stack_grams(patterns: list[NDArray[np.floating]]) -> NDArray[np.float64]:
    return np.stack([compute_centred_gram(pattern) for pattern in patterns])


def _take_interval(value: float, draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Percentiles of the deviations from the draws' mean: draws of fewer stimuli are biased."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    tails = [(1 - level) / 2 * 100, (1 + level) / 2 * 100]
    low, high = np.percentile(known - known.mean(), tails)
    return float(value + low), float(value + high)
