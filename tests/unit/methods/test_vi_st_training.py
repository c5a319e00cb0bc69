"""Vi-ST learns what is planted: every module has a gradient, clips are fitted, LN is reached."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from brainalign.methods.movies.base import correlate_columns
from brainalign.methods.rate_baselines.fields import pool_luminance
from brainalign.methods.rate_baselines.linear import LinearNonlinear
from brainalign.methods.vi_st.loss import compute_loss
from brainalign.methods.vi_st.model import ViST
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions
from planted_retina import PlantedRetina, make_retina

GRID = 9
SMALL = {"grid": GRID, "width": 8, "video_layers": 2, "dropout": 0.0, "batch_size": 2}
TESTED = slice(700, 1000)


@pytest.fixture(scope="module")
def retina() -> PlantedRetina:
    """Four cells; each token holds the luminance under the receptive fields of all of them."""
    plain = make_retina((700, 300), n_units=4)
    pooled = pool_luminance(plain.movies.luminance, plain.cells.rf_center, [8 / 360])[:, :, 0]
    token = np.repeat(pooled[:, None], GRID * GRID, axis=1)
    return dataclasses.replace(plain, movies=dataclasses.replace(plain.movies, token=token))


def score(method: ViST | LinearNonlinear, retina: PlantedRetina, frames: slice) -> float:
    predicted = method.predict(retina.movies, retina.cells)
    return float(correlate_columns(predicted[frames], retina.rate[frames]).mean())


def test_the_gradient_reaches_every_module():
    options = ViSTOptions.model_validate(SMALL)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ViSTNetwork(5, 3, options)
        token, rf = torch.randn(2, 48, GRID * GRID, 5), torch.rand(1, 3, GRID, GRID)
        rate = 8 * torch.relu(torch.randn(2, 48, 3))
        # The published gate starts at zero, which hides what lies behind it.
        torch.nn.init.normal_(network.conditioning.modulation.weight)
    compute_loss(network(token, rf), rate, None, options.dtw_windows).backward()
    still = [name for name, value in network.named_parameters() if not value.grad.abs().max() > 0]
    assert still == []
