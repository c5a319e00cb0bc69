"""Parity with the public Vi-ST code, which is read at run time and never vendored.

Set BRAINALIGN_PEERS to a folder with ``vi_st/`` and, of wurining/Vi-ST, ``eccv.py``
(src/models/components; needs einops), ``ViSTloss.py`` (src/loss; tslearn), ``corr.py`` and
``spike_kde_divergence.py`` (src/metrics; torchmetrics).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from brainalign.evaluation.rate_metrics import correlate_rates
from brainalign.evaluation.spike_durations import compare_durations, measure_durations
from brainalign.methods.vi_st.loss import compute_loss
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions

N_UNITS, N_DIMENSIONS = 7, 20


def load_peer(name: str, needed: str) -> types.ModuleType:
    path = Path(os.environ.get("BRAINALIGN_PEERS", "")) / "vi_st" / f"{name}.py"
    if not path.is_file():
        pytest.skip(f"public code to compare with is absent: set BRAINALIGN_PEERS ({path.name})")
    pytest.importorskip(needed)
    spec = importlib.util.spec_from_file_location(f"peer_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def peer_metrics(monkeypatch: pytest.MonkeyPatch):
    """Load one of the public metrics, which log through a package of the public repository."""
    for name in ("src", "src.utils", "src.utils.pylogger"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["src.utils"].pylogger = sys.modules["src.utils.pylogger"]
    sys.modules["src.utils.pylogger"].get_pylogger = lambda name: None
    return lambda name: load_peer(name, "torchmetrics")


def copy_by_name(peer: torch.nn.Module, options: ViSTOptions) -> dict[str, torch.Tensor]:
    """Names of the public state as those of ours, where they differ."""
    branch = ".0.conv." if options.causal else ".0."
    names = {
        "extractor.entry.": "stage1.conv_1x1.",
        "extractor.exit.": "stage1.conv_out.",
        "conditioning.modulation.": "adaln.adaLN_modulation.1.",
        "conditioning.mapping.": "adaln.net.1.",
        "head.": "msb_5.",
    }
    for layer in range(options.video_layers):
        own, public = f"extractor.layers.{layer}.", f"stage1.layers.{layer}."
        names |= {
            f"{own}convolution.convolution.": f"{public}conv_dilated.",
            f"{own}norm.": f"{public}norm.",
            f"{own}mapping.": f"{public}conv_1x1.",
        }
    for block, windows in enumerate(options.list_windows()):
        own, public = f"blocks.{block}.", f"msb_{block + 1}."
        names |= {f"{own}mapping.": f"{public}mapping.", f"{own}skip.": f"{public}conv1x1."}
        for number in range(len(windows)):
            names[f"{own}branches.{number}.convolution."] = f"{public}embed.{number}{branch}"
    state = peer.state_dict()
    copied = {
        own + key.removeprefix(public): value
        for own, public in names.items()
        for key, value in state.items()
        if key.startswith(public)
    }
    assert len(copied) == len(state)
    return copied


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_rates_equal_those_of_the_public_class(causal, dtype, tolerance):
    peer_class = load_peer("eccv", "einops").ViST
    options = ViSTOptions(grid=16, width=12, video_layers=3, causal=causal)
    own = ViSTNetwork(N_DIMENSIONS, N_UNITS, options)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        peer = peer_class(3, 12, N_DIMENSIONS, N_UNITS, causal=causal)
        # Zero at the start, the condition and batch statistics would go untested.
        for parameter in peer.adaln.parameters():
            parameter.normal_(0, 0.3)
        for layer in peer.stage1.layers:
            layer.norm.running_mean.normal_()
            layer.norm.running_var.uniform_(0.5, 2)
        token = torch.randn(2, 40, 256, N_DIMENSIONS, dtype=dtype)
        rf = torch.rand(2, N_UNITS, 16, 16, dtype=dtype)
    shapes = {name: value.shape for name, value in own.state_dict().items()}
    copied = copy_by_name(peer, options)
    own.load_state_dict({name: copied[name].reshape(shape) for name, shape in shapes.items()})
    own, peer = own.to(dtype).eval(), peer.to(dtype).eval()
    with torch.inference_mode():
        difference = (own(token, rf) - peer(token, rf)).abs().max()
    assert float(difference) < tolerance


@pytest.mark.parametrize("n_frames", [40, 128])
def test_the_loss_and_its_gradient_equal_the_public_ones(n_frames):
    peer = load_peer("ViSTloss", "tslearn.metrics").ViSTLoss()
    generator = torch.Generator().manual_seed(0)
    target = torch.relu(torch.randn(2, n_frames, 5, generator=generator, dtype=torch.float64))
    start = torch.randn(2, 5, n_frames, generator=generator, dtype=torch.float64)
    losses, gradients = [], []
    for compute in (peer, compute_loss):
        prediction = start.clone().requires_grad_()
        loss = compute(prediction, target)
        loss.backward()
        losses.append(loss.item())
        gradients.append(prediction.grad)
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    difference = (gradients[0] - gradients[1]).abs().max() / gradients[0].abs().max()
    assert float(difference) < 1e-4


def draw_rates(n_frames: int = 600, n_units: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Bursts of rates in Hz, and a prediction of them that is negative in places."""
    generator = np.random.default_rng(0)
    drive = generator.normal(size=(2, n_frames + 12, n_units)).cumsum(1)
    first, second = 8 * np.maximum(drive[:, 12:] - drive[:, :-12], 0)
    return first, 0.5 * first + 0.5 * second - 0.2


@pytest.mark.parametrize("alpha", [0.3, 0.5])
def test_sd_kl_of_every_cell_equals_the_public_function(peer_metrics, alpha):
    recorded, predicted = draw_rates()
    _, public = peer_metrics("spike_kde_divergence").spike_kde_divergence(
        torch.from_numpy(predicted.T.copy()),
        torch.from_numpy(recorded.T.copy()),
        bandwidth_factor=alpha,
    )
    own = [
        compare_durations(measure_durations(first), measure_durations(second), alpha)[0]
        for first, second in zip(predicted.T, recorded.T, strict=True)
    ]
    assert np.median(own) < 100
    np.testing.assert_allclose(own, public.flatten().numpy(), rtol=1e-9, atol=1e-9)


def test_traces_stay_as_they_are_though_the_public_metric_overwrites_them(peer_metrics):
    recorded, predicted = draw_rates(n_units=2)
    public = torch.from_numpy(predicted.T.copy())
    peer_metrics("spike_kde_divergence").spike_kde_divergence(
        public, torch.from_numpy(recorded.T.copy())
    )
    before = predicted.copy()
    measure_durations(predicted[:, 0])
    assert float(public.min()) == 0 > predicted.min()
    np.testing.assert_array_equal(predicted, before)


def test_the_public_correlation_is_the_absolute_one_and_ours_keeps_its_sign(peer_metrics):
    recorded, predicted = draw_rates(n_units=4)
    predicted[:, 0] *= -1
    predicted[:, 1] = 3.0
    cells, mean = peer_metrics("corr").pearson_corr_coef(
        torch.from_numpy(predicted), torch.from_numpy(recorded)
    )
    own = correlate_rates(predicted, recorded)
    assert own[0] < 0
    assert np.isnan(own[1])
    np.testing.assert_allclose(np.nan_to_num(own), cells.numpy(), atol=1e-6)
    assert float(mean) == pytest.approx(np.abs(np.nan_to_num(own)).mean(), abs=1e-6)
