"""Group total correlation in its three forms, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from brainalign.methods.mig_vis.penalties import (
    SATURATION,
    GroupDiscriminator,
    compute_gaussian_correlation,
    compute_minibatch_correlation,
    measure_saturation,
)

GROUPS = [slice(0, 1), slice(1, 2)]
RHO = 0.8


def draw_pair(n_samples: int, rho: float = RHO) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n_samples, 2, generator=generator)
    second = rho * noise[:, 0] + math.sqrt(1 - rho**2) * noise[:, 1]
    return torch.stack([noise[:, 0], second], dim=1)


def test_the_gaussian_form_is_the_closed_form_of_a_correlated_pair() -> None:
    expected = -0.5 * math.log(1 - RHO**2)
    assert float(compute_gaussian_correlation(draw_pair(20_000), GROUPS)) == pytest.approx(
        expected, rel=0.03
    )


def test_the_gaussian_form_of_independent_groups_is_near_zero() -> None:
    assert float(compute_gaussian_correlation(draw_pair(20_000, 0.0), GROUPS)) < 1e-3


def test_dependence_within_a_group_costs_nothing() -> None:
    assert float(compute_gaussian_correlation(draw_pair(500), [slice(0, 2)])) == pytest.approx(0)


def test_the_minibatch_form_is_the_closed_form_where_posteriors_are_wide() -> None:
    wide = 0.5
    mean = draw_pair(2000)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))
    log_variance = torch.full_like(mean, math.log(wide))
    latent = mean + math.sqrt(wide) * noise
    rho = RHO / (1 + wide)
    expected = -0.5 * math.log(1 - rho**2)
    estimate = compute_minibatch_correlation(latent, mean, log_variance, GROUPS)
    assert float(estimate) == pytest.approx(expected, rel=0.15)


def test_narrow_posteriors_saturate_the_minibatch_form() -> None:
    groups = [slice(6 * n, 6 * n + 6) for n in range(4)]
    mean = torch.randn(128, 24, generator=torch.Generator().manual_seed(0))
    log_variance = torch.full_like(mean, -6.0)
    estimate = float(compute_minibatch_correlation(mean, mean, log_variance, groups))
    assert estimate == pytest.approx(3 * math.log(128), abs=1e-3)
    assert measure_saturation(estimate, 4, 128) > SATURATION


def test_the_discriminator_learns_from_its_own_loss_only() -> None:
    torch.manual_seed(0)
    discriminator = GroupDiscriminator(2)
    latent = draw_pair(64).requires_grad_(True)
    discriminator.estimate_correlation(latent).backward()
    assert latent.grad is not None
    assert all(weight.grad is None for weight in discriminator.parameters())
    latent.grad = None
    discriminator.compute_loss(latent, GROUPS).backward()
    assert latent.grad is None
    assert all(weight.grad is not None for weight in discriminator.parameters())


def test_a_trained_discriminator_tells_dependent_from_independent_groups() -> None:
    torch.manual_seed(0)
    estimates = []
    for rho in (0.9, 0.0):
        latent = draw_pair(1000, rho)
        discriminator = GroupDiscriminator(2)
        optimiser = torch.optim.Adam(discriminator.parameters(), 3e-3)
        for _ in range(200):
            optimiser.zero_grad()
            discriminator.compute_loss(latent, GROUPS).backward()
            optimiser.step()
        estimates.append(float(discriminator.estimate_correlation(latent)))
    assert estimates[0] > 0.4
    assert abs(estimates[1]) < 0.1
