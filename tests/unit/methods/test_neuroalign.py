"""NeuroAlign on planted latents: lags, retrieval, censoring, restoring, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from brainalign.errors import CorruptDataError, InputError
from brainalign.methods.clips.arrays import (
    Segments,
    check_no_shared_rows,
    choose_disjoint,
    find_window_starts,
)
from brainalign.methods.neuroalign.model import NeuroAlign
from brainalign.methods.neuroalign.modules import (
    LagWeights,
    VoxelViT,
    apply_lags,
    compute_canonical_response,
)
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from unit.methods.bold_video_world import N_TRS, make_segments, rank_windows

TEST_STARTS = np.concatenate([s * N_TRS + np.arange(0, 97, 4) for s in range(8)])
QUICK = {"batch_size": 32, "steps_per_epoch": 50, "epochs": 3, "contrast_epochs": 2}
CONTRAST_ONLY = {**QUICK, "codebook": "none", "prediction": "none"}


def fit(given: dict, seed: int = 0, delay: int = 0, **parts: Segments) -> NeuroAlign:
    training, validation, _ = make_segments(seed, delay)
    method = NeuroAlign(NeuroAlignOptions.model_validate(given))
    method.fit(parts.get("training", training), parts.get("validation", validation), seed=seed)
    return method


@pytest.fixture(scope="module")
def fitted() -> NeuroAlign:
    return fit(QUICK)


@pytest.fixture(scope="module")
def contrasted() -> NeuroAlign:
    """Fitted by windows alone, so that nothing but retrieval moves the lags."""
    return fit(CONTRAST_ONLY)


def find_accuracy(method: NeuroAlign, seed: int = 0) -> tuple[float, float]:
    embedded = method.embed(make_segments(seed)[2], TEST_STARTS)
    return rank_windows(embedded.stimulus, embedded.response)


def make_tiny(n_rows: int = 40, n_shown: int = 40) -> Segments:
    generator = np.random.default_rng(0)
    video = generator.standard_normal((n_rows, 4)).astype(np.float32)
    video[n_shown:] = np.nan
    bold = generator.standard_normal((n_rows, 6)).astype(np.float32)
    return Segments(np.full(n_rows, "a"), bold, video, np.array(["V1"] * 3 + ["FFA"] * 3), 2.0)


def test_lags_are_worth_more_than_a_tenth_of_retrieval(contrasted: NeuroAlign):
    none = find_accuracy(fit({**CONTRAST_ONLY, "lag": "none"}))[0]
    fixed = find_accuracy(fit({**CONTRAST_ONLY, "lag": "fixed"}))[0]
    learned = find_accuracy(contrasted)[0]
    assert learned - none > 0.12
    assert fixed > 0.85
    assert learned > 0.9


def test_both_stages_retrieve_and_share_codes(fitted: NeuroAlign):
    assert min(find_accuracy(fitted)) > 0.85
    embedded = fitted.embed(make_segments(0)[2], TEST_STARTS)
    same = float((embedded.stimulus_code == embedded.response_code).mean())
    shares = [
        np.bincount(code.ravel(), minlength=128) / code.size
        for code in (embedded.stimulus_code, embedded.response_code)
    ]
    assert same > 10 * float(shares[0] @ shares[1])


def test_learned_lags_lie_on_the_planted_response(contrasted: NeuroAlign):
    weight = contrasted.describe_lags()["all"]
    assert weight.argmax() in (2, 3)
    assert weight[0] < 0.05
    assert weight[2] + weight[3] > 0.5


def test_a_delay_of_all_bold_moves_the_learned_lag(contrasted: NeuroAlign):
    late = fit(CONTRAST_ONLY, delay=1)
    peaks = [int(one.describe_lags()["all"].argmax()) for one in (contrasted, late)]
    assert peaks[1] == peaks[0] + 1


def test_permuted_movies_teach_nothing():
    training = make_segments(0)[0]
    order = np.random.default_rng(0).permutation(32)
    video = training.video.reshape(32, N_TRS, -1)[order].reshape(training.video.shape)
    method = fit(CONTRAST_ONLY, training=replace(training, video=video))
    assert max(find_accuracy(method)) < 0.05


def test_the_same_seed_gives_the_same_weights():
    given = {**QUICK, "steps_per_epoch": 3}
    first, second = (fit(given).get_weights() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_weights_restore_a_method(fitted: NeuroAlign):
    other = NeuroAlign(fitted.options)
    other.set_weights(fitted.get_weights())
    embedded = [one.embed(make_segments(0)[2], TEST_STARTS) for one in (fitted, other)]
    assert np.array_equal(embedded[0].response, embedded[1].response)
    assert np.array_equal(embedded[0].stimulus_code, embedded[1].stimulus_code)


def test_the_best_epoch_is_one_with_a_codebook(fitted: NeuroAlign):
    assert bool(fitted.get_weights()["module/codebook.is_started"])


@pytest.mark.parametrize(
    "given",
    [
        {"encoder": "vit", "vit_width": 16, "vit_depth": 1, "vit_heads": 2, "lag_input": "encoded"},
        {"lag_by_roi": True},
        {"prediction": "released", "codebook": "mmema_seq", "partner": "xattn"},
        {"reconstruction_weight": 1.0, "information_weight": 0.1},
        {"cross_commitment": "agreement", "modality_temperature": 1.0},
    ],
)
def test_every_variant_trains(given: dict):
    few = {**QUICK, "steps_per_epoch": 2, "n_codes": 16, **given}
    method = fit(few)
    embedded = method.embed(make_segments(0)[2], TEST_STARTS[:5])
    assert np.isfinite(embedded.response).all()
    np.testing.assert_allclose(np.linalg.norm(embedded.stimulus, axis=1), 1, rtol=1e-5)


def test_captions_are_a_third_modality():
    training, validation, test = make_segments(0)
    parts = [replace(one, text=one.video[:, :10]) for one in (training, validation, test)]
    method = NeuroAlign(NeuroAlignOptions.model_validate({**QUICK, "steps_per_epoch": 2}))
    method.fit(parts[0], parts[1], seed=0)
    assert method.get_weights()["module/codebook.idle"].shape[0] == 3
    with pytest.raises(InputError, match="the fit had captions"):
        method.embed(test, TEST_STARTS)


def test_voxels_that_never_vary_in_training_are_left_out():
    parts = []
    for one in make_segments(0):
        bold = one.bold.copy()
        bold[:, :7] = 3.0
        parts.append(replace(one, bold=bold))
    # What only the test says of them plays no part.
    parts[2].bold[:, :7] += np.random.default_rng(0).normal(size=(len(parts[2].bold), 7))
    method = NeuroAlign(NeuroAlignOptions.model_validate({**QUICK, "steps_per_epoch": 2}))
    method.fit(parts[0], parts[1], seed=0)
    widths = {value.shape[-1] for name, value in method.get_weights().items() if "mean" in name}
    assert 293 in widths
    changed, plain = (
        method.embed(one, TEST_STARTS[:3])
        for one in (
            parts[2],
            replace(parts[2], bold=np.where(np.arange(300) < 7, 0, parts[2].bold)),
        )
    )
    assert np.array_equal(changed.response, plain.response)


def test_levels_pair_regions_with_features():
    parts = make_segments(0)[:2]
    roi = np.repeat(["V1", "FFA"], 150)
    training, validation = (replace(one, roi=roi, feature_widths=(40, 56)) for one in parts)
    given = {**QUICK, "steps_per_epoch": 2, "roi_levels": [["V1"], ["FFA"]]}
    method = NeuroAlign(NeuroAlignOptions.model_validate(given))
    method.fit(training, validation, seed=0)
    assert sorted(method.describe_lags()) == ["FFA", "V1"]
    embedded = method.embed(replace(make_segments(0)[2], roi=roi), TEST_STARTS[:3])
    np.testing.assert_allclose(np.linalg.norm(embedded.response, axis=1), 1, rtol=1e-5)


def test_canonical_response_has_the_values_of_the_specification():
    weight = np.log(compute_canonical_response(6, 2.0) + 0.01)
    weight = np.exp(weight) / np.exp(weight).sum()
    assert weight == pytest.approx([0.009, 0.081, 0.320, 0.328, 0.188, 0.073], abs=2e-3)


def test_one_hot_lags_are_a_shift():
    series = torch.randn(3, 15, 7)
    options = NeuroAlignOptions(lag="fixed", fixed_lag_trs=2)
    shifted, _ = apply_lags(series, LagWeights(options, 2.0, 1)()[0])
    assert torch.equal(shifted, series[:, 2:12])


def test_censored_volumes_have_no_weight():
    weight = torch.tensor([0.2, 0.5, 0.3])
    series = torch.randn(1, 8, 4)
    recorded = torch.ones(1, 8, dtype=torch.bool)
    recorded[0, 3] = False
    changed = series.clone()
    changed[0, 3] = 100
    first, valid = apply_lags(series, weight, recorded)
    second, _ = apply_lags(changed, weight, recorded)
    assert torch.equal(first, second)
    # Moment 2 hangs on the censored volume by 0.5, moment 1 by 0.3, moment 3 by 0.2.
    assert valid[0].tolist() == [True] * 6
    recorded[0, 4] = False
    assert apply_lags(series, weight, recorded)[1][0, 2].item() is False


def test_voxels_of_the_last_patch_wrap_around():
    options = NeuroAlignOptions(vit_width=8, vit_heads=2, vit_depth=1)
    encoder = VoxelViT(20, options)
    assert encoder.order.tolist() == [*range(20), *range(12)]
    assert encoder(torch.randn(2, 3, 20)).shape == (2, 3, 8)


def test_windows_never_cross_a_segment():
    segments = make_segments(0)[1]
    starts = find_window_starts(segments, 10, 6)
    assert (segments.segment[starts] == segments.segment[starts + 14]).all()
    assert len(starts) == 2 * (N_TRS - 14)


def test_windows_end_with_the_movie_and_bold_goes_on():
    assert find_window_starts(make_tiny(40, 35), 10, 6).max() == 25
    assert find_window_starts(make_tiny(40, 40), 10, 6).max() == 25


def test_disjoint_windows_share_no_row():
    segments = make_tiny()
    starts = np.arange(0, 26)
    assert starts[choose_disjoint(starts, segments, 10)].tolist() == [0, 10, 20]


def test_a_segment_shorter_than_a_window_is_refused():
    with pytest.raises(InputError, match="shorter than a window"):
        find_window_starts(make_tiny(14, 14), 10, 6)


def test_splits_that_share_a_segment_are_refused():
    with pytest.raises(InputError, match="share TRs"):
        check_no_shared_rows(make_tiny(), make_tiny())


def test_a_split_of_one_window_is_refused():
    training = make_segments(0)[0]
    short = replace(
        make_tiny(15, 15), bold=training.bold[:15], video=training.video[:15], roi=training.roi
    )
    with pytest.raises(InputError, match="fewer than two windows"):
        fit(QUICK, validation=short)


def test_a_batch_of_one_clip_is_refused():
    with pytest.raises(InputError, match="single window"):
        fit({**QUICK, "batch_size": 1})


def test_a_codebook_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match=r"larger than the data; expected n_codes of at most 7680"):
        fit({**QUICK, "n_codes": 8000})


def test_few_tokens_per_code_are_told():
    with pytest.warns(UserWarning, match="500 codes for 7680 tokens"):
        fit({**QUICK, "epochs": 2, "contrast_epochs": 1, "steps_per_epoch": 1, "n_codes": 500})


def test_a_row_that_is_finite_in_part_is_refused():
    tiny = make_tiny()
    tiny.bold[3, 2] = np.nan
    with pytest.raises(CorruptDataError, match="finite in part"):
        replace(tiny)


def test_unknown_regions_of_levels_are_refused():
    with pytest.raises(InputError, match="no region 'V7'"):
        fit({**QUICK, "roi_levels": [["V7"]]})


def test_censored_training_volumes_leave_all_weights_finite():
    training = make_segments(0)[0]
    bold = training.bold.copy()
    bold[::7] = np.nan
    method = fit({**QUICK, "steps_per_epoch": 3}, training=replace(training, bold=bold))
    assert all(np.isfinite(value).all() for value in method.get_weights().values())
