"""The 3D form: size, tokens at the start, a fit, and parity with the public class.

Set BRAINALIGN_PEERS to a folder with ``clip_mused/models.py`` and ``clip_mused/AttentionBlock.py``
(CLIP-MUSED/CLIP-MUSED), which are read at run time and never vendored.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.methods.clip_mused.hybrid3d import (
    PUBLISHED_VOLUME,
    PUBLISHED_WIDTH,
    Hybrid3D,
    HybridShape,
    count_hybrid_parameters,
    rename_public_weights,
)
from brainalign.methods.clip_mused.model import CLIPMused
from brainalign.methods.clip_mused.options import CLIPMusedOptions
from unit.methods.label_world import simulate_label_world
from unit.methods.public_clip_mused import load_public_model

PUBLISHED = HybridShape(PUBLISHED_VOLUME, 18, PUBLISHED_WIDTH, 53, 9, token_residual=False)
TINY = HybridShape((16, 16, 8), 10, 32, 5, 3, token_residual=True)


@pytest.mark.parametrize(
    ("depth", "n_parameters", "n_tensors"),
    [(10, 36_443_125, 74), (18, 65_865_461, 98), (34, 138_646_517, 146)],
)
def test_number_of_parameters_is_the_published_one(depth, n_parameters, n_tensors):
    shape = dataclasses.replace(PUBLISHED, depth=depth)
    with torch.device("meta"):
        parameters = list(Hybrid3D(shape).parameters())
    assert sum(value.numel() for value in parameters) == n_parameters
    assert count_hybrid_parameters(shape) == n_parameters
    assert len(parameters) == n_tensors


def run(shape: HybridShape, subject: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    module = Hybrid3D(shape)
    volume = torch.rand(4, 1, *shape.volume, generator=torch.Generator().manual_seed(1))
    output = module(volume, torch.full((4,), subject))
    return output.logit, output.high, output.low


def test_without_token_residual_tokens_start_at_exactly_zero():
    shape = dataclasses.replace(TINY, token_residual=False)
    _, high, low = run(shape, 0)
    assert (high == 0).all()
    assert (low == 0).all()


def test_with_token_residual_subjects_and_levels_differ_from_the_start():
    first, second = run(TINY, 0), run(TINY, 1)
    assert (first[0] != second[0]).any()
    assert (first[1] != first[2]).any()


def test_a_batch_may_mix_subjects():
    torch.manual_seed(0)
    module = Hybrid3D(TINY).eval()
    volume = torch.rand(3, 1, *TINY.volume)
    subject = torch.tensor([2, 0, 1])
    mixed = module(volume, subject).logit
    for row, number in enumerate(subject.tolist()):
        single = module(volume[row : row + 1], torch.tensor([number])).logit
        torch.testing.assert_close(mixed[row : row + 1], single, atol=1e-5, rtol=1e-4)


def test_it_is_fitted_through_the_voxels_of_every_subject():
    world = simulate_label_world(n_own=20, n_shared=40)
    options = CLIPMusedOptions(form="hybrid_3d", hybrid_width=32, epochs=2, batch_size=32)
    method = CLIPMused(options)
    history = method.fit(world.training, world.validation, seed=0)
    restored = CLIPMused(options)
    restored.set_weights(method.get_weights())
    response = world.test.get_subject("b").response
    predicted = method.predict("b", response)
    assert len(history) == 2
    assert predicted.attention is None
    np.testing.assert_array_equal(restored.predict("b", response).score, predicted.score)
    assert np.any(method.predict("b", response, as_subject="c").score != predicted.score)


def test_units_without_voxels_are_refused():
    world = simulate_label_world(n_own=20, n_shared=40)
    training = dataclasses.replace(world.training, voxel_index={})
    method = CLIPMused(CLIPMusedOptions(form="hybrid_3d", epochs=1))
    with pytest.raises(InputError, match="needs the voxel of every unit"):
        method.fit(training, world.validation, seed=0)


@pytest.mark.slow
def test_with_copied_weights_it_says_what_the_public_class_says():
    public = load_public_model(depth=10, n_classes=7, n_subjects=3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        # Zero gammas of batch norms would hide whole branches.
        for value in public.parameters():
            if value.ndim == 1:
                value.copy_(0.5 + 0.5 * torch.rand(value.shape, generator=generator))
    shape = HybridShape(PUBLISHED_VOLUME, 10, PUBLISHED_WIDTH, 7, 3, token_residual=False)
    ours = Hybrid3D(shape)
    ours.load_state_dict(rename_public_weights(public.state_dict()))
    volume = torch.rand(1, 1, *PUBLISHED_VOLUME, generator=generator)
    with torch.inference_mode():
        logit, _, high, low = public.eval()(volume, [2])
        found = ours.eval()(volume, torch.tensor([2]))
    torch.testing.assert_close(found.logit, logit, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.high, high, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.low, low, atol=1e-5, rtol=1e-5)
