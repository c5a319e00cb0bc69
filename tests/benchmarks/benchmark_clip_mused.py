"""One training step of the 3D form against the public class on the same data.

Run with ``BRAINALIGN_PEERS=… pytest tests/benchmarks/benchmark_clip_mused.py -s``; the folder needs
``clip_mused/models.py``, ``AttentionBlock.py`` and ``losses.py`` (CLIP-MUSED/CLIP-MUSED).
"""

from __future__ import annotations

import time

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from benchmarks.timing import compare_times
from brainalign.methods.clip_mused.hybrid3d import (
    PUBLISHED_VOLUME,
    PUBLISHED_WIDTH,
    Hybrid3D,
    HybridShape,
    rename_public_weights,
)
from brainalign.methods.clip_mused.losses import (
    compute_label_loss,
    compute_orthogonality,
    compute_rsa_loss,
)
from brainalign.methods.labels.network import NetworkShape, RegionTransformer
from unit.methods.public_clip_mused import load_public_file, load_public_model

N_CLASSES, N_SUBJECTS, N_BATCH, DEPTH = 53, 9, 2, 18
N_AREAS, PATCH_LENGTH = 30, 64


def draw_batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "volume": torch.rand(N_BATCH, 1, *PUBLISHED_VOLUME, generator=generator),
        "patch": torch.randn(N_BATCH, N_AREAS, PATCH_LENGTH, generator=generator),
        "label": (torch.rand(N_BATCH, N_CLASSES, generator=generator) < 0.3).float(),
        "high": normalize(torch.randn(N_BATCH, 512, generator=generator), dim=1),
        "low": normalize(torch.randn(N_BATCH, 768, generator=generator), dim=1),
        "subject": torch.tensor([0, 5]),
    }


def compare_rows(rows: torch.Tensor) -> torch.Tensor:
    """What the public ``cal_rdm`` computes, without its buffer on a GPU."""
    length = torch.norm(rows, p=2, dim=1, keepdim=True)
    return 1 - torch.mm(rows, rows.t()) * (1 / (torch.mm(length, length.t()) + 1e-6))


def make_public_step(model, batch):
    losses = load_public_file("losses")
    groups = [
        {"params": value, "lr": 1e-4 if "attention" in name else 1e-3}
        for name, value in model.named_parameters()
    ]
    optimiser = torch.optim.Adam(groups)

    def step() -> float:
        logit, _, high, low = model(batch["volume"], batch["subject"].tolist())
        loss = binary_cross_entropy_with_logits(logit, batch["label"])
        loss = loss + 1e-3 * losses.calculate_orthogonal_regularization_F(high, low)
        for weight, token, name in ((1e-3, high, "high"), (1e-1, low, "low")):
            difference = compare_rows(batch[name]) - compare_rows(token)
            loss = loss + weight * losses.regularization_F(difference)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss)

    return step


def make_step(model, values, batch, *, precision=None):
    attention = [value for name, value in model.named_parameters() if "attention" in name]
    known = {id(value) for value in attention}
    others = [value for value in model.parameters() if id(value) not in known]
    optimiser = torch.optim.Adam(
        [{"params": others, "lr": 1e-3}, {"params": attention, "lr": 1e-4}], fused=True
    )
    learnable = torch.ones(N_CLASSES, dtype=torch.bool)

    def step() -> float:
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            output = model(values, batch["subject"])
        high, low = output.high.float(), output.low.float()
        loss = compute_label_loss(output.logit.float(), batch["label"], learnable)
        loss = loss + 1e-3 * compute_orthogonality(high, low)
        loss = loss + 1e-3 * compute_rsa_loss(high, batch["high"])
        loss = loss + 1e-1 * compute_rsa_loss(low, batch["low"])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return float(loss)

    return step


@pytest.mark.benchmark
def test_one_training_step_against_the_public_class():
    batch = draw_batch()
    torch.manual_seed(0)
    public = load_public_model(DEPTH, N_CLASSES, N_SUBJECTS)
    shape = HybridShape(
        PUBLISHED_VOLUME, DEPTH, PUBLISHED_WIDTH, N_CLASSES, N_SUBJECTS, token_residual=False
    )

    def copy() -> Hybrid3D:
        model = Hybrid3D(shape)
        model.load_state_dict(rename_public_weights(public.state_dict()))
        return model.to(memory_format=torch.channels_last_3d)

    exact, fast = copy(), copy()
    volume = batch["volume"].to(memory_format=torch.channels_last_3d)
    steps = {
        "public": make_public_step(public, batch),
        "fp32": make_step(exact, volume, batch),
        "bf16": make_step(fast, volume, batch, precision=torch.bfloat16),
    }
    first = {name: step() for name, step in steps.items()}
    assert abs(first["fp32"] - first["public"]) < 1e-4
    assert abs(first["bf16"] - first["public"]) < 1e-2
    label = f"3D form, batch of {N_BATCH}, {torch.get_num_threads()} threads"
    for name in ("fp32", "bf16"):
        compare_times(f"{label}, {name}", steps["public"], steps[name], 3, time.process_time)
    regions = RegionTransformer(
        NetworkShape(
            n_areas=N_AREAS,
            patch_length=PATCH_LENGTH,
            width=512,
            depth=4,
            n_heads=8,
            mlp_ratio=4.0,
            dropout=0.0,
            n_classes=N_CLASSES,
            n_subjects=N_SUBJECTS,
            input_rank=0,
        ),
        torch.ones(N_SUBJECTS, N_AREAS, dtype=torch.bool),
        "tokens",
    )
    step = make_step(regions, batch["patch"], batch)
    step()
    compare_times("form over regions, same batch", steps["public"], step, 3, time.process_time)
