"""Vi-ST against the public code at equal output: data path, loss, network, whole training step.

Run with ``BRAINALIGN_PEERS=… pytest tests/benchmarks/benchmark_vi_st.py -s``. The folder holds
``vi_st/eccv.py``, ``vi_st/ViSTloss.py`` and ``vi_st/data_module.py`` of wurining/Vi-ST
(src/models/components, src/loss, src/data_modules); they need einops and tslearn. CPU time, since
others may share the cores. Targets: data path 4 times; loss level at training size, 3 times at
windows of a whole movie; network not slower; whole step at the paper preset 1.3 times.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from benchmarks.timing import compare_times
from brainalign.methods.movies.arrays import RateTargets
from brainalign.methods.vi_st.loss import GAMMA, compute_loss
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions
from brainalign.methods.vi_st.soft_dtw import compute_soft_dtw_divergence
from brainalign.methods.vi_st.task import ViSTTask

N_FRAMES = 32
N_UNITS, N_PATCHES, WIDTH = 90, 256, 1024
CLIP, N_CLIPS = 128, 16
N_MOVIE_FRAMES = 400
"""Of 1800 published ones, whose tokens would take 1.9 GB in each of the two programs."""


def find_peer(name: str) -> Path:
    path = Path(os.environ.get("BRAINALIGN_PEERS", "")) / "vi_st" / name
    if not path.is_file():
        pytest.skip(f"public code to compare with is absent: set BRAINALIGN_PEERS (vi_st/{name})")
    return path


def load_peer(name: str) -> types.ModuleType:
    path = find_peer(name)
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_peer_class() -> type[torch.nn.Module]:
    find_peer("eccv.py")
    pytest.importorskip("einops")
    return load_peer("eccv.py").ViST


def load_peer_loss() -> torch.nn.Module:
    find_peer("ViSTloss.py")
    pytest.importorskip("tslearn.metrics")
    return load_peer("ViSTloss.py").ViSTLoss()


def draw_rates(*shape: int, seed: int = 0) -> torch.Tensor:
    """Rates in Hz as sparse as recorded ones, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return 8 * torch.relu(torch.randn(*shape, generator=generator, dtype=torch.float64))


def test_forward_and_backward_of_the_paper_network():
    torch.set_num_threads(1)
    peer = load_peer_class()(6, 256, WIDTH, N_UNITS)
    own = ViSTNetwork(WIDTH, N_UNITS, ViSTOptions(preset="paper"))
    token, rf = torch.randn(1, N_FRAMES, N_PATCHES, WIDTH), torch.rand(1, N_UNITS, 16, 16)

    def step(network: torch.nn.Module) -> None:
        network.zero_grad()
        network(token, rf).square().mean().backward()

    step(peer)
    step(own)
    compare_times(
        f"forward and backward, 1 clip of {N_FRAMES} frames",
        lambda: step(peer),
        lambda: step(own),
        n_repeats=3,
        clock=time.process_time,
    )


@pytest.mark.parametrize(
    ("n_clips", "n_frames"), [(16, 128), (2, 900)], ids=["training size", "whole movie"]
)
def test_forward_and_backward_of_the_loss(n_clips: int, n_frames: int):
    torch.set_num_threads(1)
    peer = load_peer_loss()
    target = draw_rates(n_clips, n_frames, N_UNITS)
    start = draw_rates(n_clips, N_UNITS, n_frames, seed=1)

    def step(loss) -> tuple[float, torch.Tensor]:
        prediction = start.clone().requires_grad_()
        value = loss(prediction, target)
        value.backward()
        return float(value.detach()), prediction.grad

    (published, _), (value, _) = step(peer), step(compute_loss)
    assert value == pytest.approx(published, rel=1e-4)
    compare_times(
        f"loss and gradient in float64, {n_clips} clips of {n_frames} frames",
        lambda: step(peer),
        lambda: step(compute_loss),
        n_repeats=3,
        clock=time.process_time,
    )


def test_soft_dtw_of_windows_of_a_whole_movie():
    torch.set_num_threads(1)
    tslearn = pytest.importorskip("tslearn.metrics")
    peer = tslearn.SoftDTWLossPyTorch(gamma=GAMMA, normalize=True)
    target, start = draw_rates(18, 90, N_UNITS), draw_rates(18, 90, N_UNITS, seed=1)

    def step(divergence) -> float:
        prediction = start.clone().requires_grad_()
        value = divergence(prediction, target).mean()
        value.backward()
        return float(value.detach())

    def own(prediction: torch.Tensor, recorded: torch.Tensor) -> torch.Tensor:
        return compute_soft_dtw_divergence(prediction, recorded, GAMMA)

    assert step(own) == pytest.approx(step(peer), rel=1e-4)
    compare_times(
        "soft-DTW divergence and gradient in float64, 18 windows of 90 frames",
        lambda: step(peer),
        lambda: step(own),
        n_repeats=3,
        clock=time.process_time,
    )


def write_published_store(folder: Path, token: np.ndarray, rate: np.ndarray) -> None:
    """Write the two movies as the public loader expects them."""
    half = len(token) // 2
    for name in ("MOVIE01", "MOVIE03"):
        group = zarr.open_group(folder / f"{name}_zarr", mode="w", zarr_format=2)
        for key, values in {
            "dinov2_feats_0": token if name == "MOVIE01" else token[:8],
            "spike_avg": rate if name == "MOVIE01" else rate[:8],
            "rf_to_dinov2": np.ones((N_UNITS, 16, 16), np.float32),
        }.items():
            group.create_array(key, data=values)
        group.attrs["split_train"] = list(range(half))
        group.attrs["split_test"] = list(range(half, len(token)))


def load_peer_dataset(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Make the public data set; what it imports for logging and as a base class is stood in for."""
    lightning = types.ModuleType("lightning.pytorch")
    lightning.LightningDataModule = object
    utils = types.ModuleType("src.utils")
    utils.pylogger = types.SimpleNamespace(
        get_pylogger=lambda name: types.SimpleNamespace(info=lambda text: None)
    )
    for name, module in {
        "lightning": types.ModuleType("lightning"),
        "lightning.pytorch": lightning,
        "src": types.ModuleType("src"),
        "src.utils": utils,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return load_peer("data_module.py").MovieCrossValDatasetV2(
        folder,
        movie_name_for_train="MOVIE01",
        keys=["spike_avg", "dinov2_feats_0"],
        random_window_size=CLIP,
    )


def make_task(token: np.ndarray, rate: np.ndarray) -> ViSTTask:
    options = ViSTOptions(preset="paper")
    # Two halves of a movie, as published: no clip crosses their border.
    spans = [slice(0, len(token) // 2), slice(len(token) // 2, len(token))]
    stretch = np.repeat([0, 1], [span.stop - span.start for span in spans])
    targets = RateTargets(rate, stretch)
    rf = np.ones((N_UNITS, 16, 16), np.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ViSTNetwork(token.shape[2], N_UNITS, options)
    task = ViSTTask(network, options, token, spans, rf, targets, targets)
    task.prepare(torch.device("cpu"))
    return task


def draw_movie(dtype: type) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    token = generator.standard_normal((N_MOVIE_FRAMES, N_PATCHES, WIDTH), dtype=np.float32)
    rate = 8 * np.maximum(generator.normal(size=(N_MOVIE_FRAMES, N_UNITS)), 0)
    return token.astype(dtype), rate.astype(np.float32)


def test_data_path_of_a_batch(tmp_path, monkeypatch):
    """From the next clips to tokens that the first layer can read, and rates."""
    torch.set_num_threads(1)
    find_peer("data_module.py")
    token, rate = draw_movie(np.float32)
    write_published_store(tmp_path, token, rate)
    dataset = load_peer_dataset(tmp_path, monkeypatch)
    n_starts = N_MOVIE_FRAMES - 2 * CLIP
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=N_CLIPS,
        sampler=torch.utils.data.SubsetRandomSampler(range(n_starts)),
        drop_last=True,
    )
    task = make_task(token, rate)
    generator = np.random.default_rng(0)
    published, own = iter(loader), task.iterate_batches(0, generator)

    def take_published() -> tuple[torch.Tensor, torch.Tensor]:
        batch = next(published)
        return batch["dinov2_feats_0"], batch["spike_avg"]

    def take_own() -> tuple[torch.Tensor, torch.Tensor]:
        batch = next(own)
        rows = batch.frame[batch.position]
        return task._token[batch.frame], task._rate[rows]

    (token_published, rate_published), (token_own, rate_own) = take_published(), take_own()
    assert rate_published.shape == rate_own.shape == (N_CLIPS, CLIP, N_UNITS)
    # Each distinct frame once: the network maps it once and spreads it to the clips.
    assert token_published.shape == (N_CLIPS, CLIP, N_PATCHES, WIDTH)
    assert token_own.shape[1:] == (N_PATCHES, WIDTH)
    compare_times(
        f"data path, {N_CLIPS} clips of {CLIP} frames",
        take_published,
        take_own,
        n_repeats=5,
        clock=time.process_time,
    )


def test_whole_training_step_at_the_paper_preset(tmp_path, monkeypatch):
    """Data, network, loss, gradient and optimiser; two clips, which a small machine can hold."""
    torch.set_num_threads(1)
    peer, peer_loss = load_peer_class()(6, 256, WIDTH, N_UNITS), load_peer_loss()
    token, rate = draw_movie(np.float32)
    write_published_store(tmp_path, token, rate)
    dataset = load_peer_dataset(tmp_path, monkeypatch)
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=2,
        sampler=torch.utils.data.SubsetRandomSampler(range(N_MOVIE_FRAMES - 2 * CLIP)),
    )
    published = iter(loader)
    task = make_task(token, rate)
    task.options = task.options.model_copy(update={"batch_size": 2})
    own = task.iterate_batches(0, np.random.default_rng(0))
    optimisers = {
        network: torch.optim.AdamW(network.parameters(), lr=8e-4, weight_decay=0.1)
        for network in (peer, task.module)
    }

    def step_published() -> None:
        batch = next(published)
        optimisers[peer].zero_grad()
        predicted = peer(batch["dinov2_feats_0"], batch["rf_to_dinov2"])
        peer_loss(predicted, batch["spike_avg"]).backward()
        optimisers[peer].step()

    def step_own() -> None:
        optimisers[task.module].zero_grad()
        task.compute_loss(next(own)).backward()
        optimisers[task.module].step()

    step_published()
    step_own()
    compare_times(
        f"whole training step, 2 clips of {CLIP} frames",
        step_published,
        step_own,
        n_repeats=5,
        clock=time.process_time,
    )
