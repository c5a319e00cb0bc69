"""A planted world of labels: several subjects, early regions of low level, late ones of labels.

Each subject has its own number of voxels and its own mixing of the same latents. Features of CLIP
are noisy maps of the low-level latents (low) and of the labels (high).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainalign.methods.arrays import SubjectResponses
from brainalign.methods.labels.arrays import LabelledResponses

EARLY, LATE = ("V1", "V2"), ("FFA", "LOC")
N_CLASSES, N_LOW = 6, 10
SUBJECTS = {"a": 80, "b": 100, "c": 120}


@dataclass(frozen=True)
class LabelWorld:
    training: LabelledResponses
    validation: LabelledResponses
    test: LabelledResponses


def simulate_label_world(
    seed: int = 0,
    *,
    n_shared: int = 80,
    n_own: int = 120,
    n_test: int = 80,
    noise: float = 1.0,
    areas: dict[str, tuple[str, ...]] | None = None,
) -> LabelWorld:
    rng = np.random.default_rng(seed)
    mixing = {name: _draw_voxels(rng, name, n, areas) for name, n in SUBJECTS.items()}
    low_map = rng.normal(size=(N_LOW, 24)) / N_LOW**0.5
    high_map = rng.normal(size=(N_CLASSES, 16)) / N_CLASSES**0.5

    def simulate(split: str, n_common: int, n_private: int) -> LabelledResponses:
        n_stimuli = n_common + n_private * len(SUBJECTS)
        label = rng.random((n_stimuli, N_CLASSES)) < 0.3
        low = rng.normal(size=(n_stimuli, N_LOW))
        stimulus = np.array([f"{split}-{row:04d}" for row in range(n_stimuli)])
        high = (label - 0.3) / 0.46
        target = {
            "low": _blur(rng, low @ low_map),
            "high": _blur(rng, high @ high_map),
        }
        subjects = []
        for number, (name, (to_early, to_late, area)) in enumerate(mixing.items()):
            start = n_common + number * n_private
            seen = np.r_[np.arange(n_common), np.arange(start, start + n_private)]
            drive = np.where(np.isin(area, EARLY), low[seen] @ to_early, high[seen] @ to_late)
            response = drive + noise * rng.normal(size=drive.shape)
            subjects.append(SubjectResponses(name, response.astype(np.float32), stimulus[seen]))
        area = {name: mixing[name][2] for name in mixing}
        voxel = {name: _place(len(area[name])) for name in mixing}
        return LabelledResponses(stimulus, label, tuple(subjects), area, target, voxel)

    return LabelWorld(
        simulate("train", n_shared, n_own),
        simulate("validation", 60, 0),
        simulate("test", n_test, 0),
    )


def _draw_voxels(rng, name, n_voxels, areas):
    own = (areas or {}).get(name, (*EARLY, *LATE))
    area = np.array([own[voxel % len(own)] for voxel in range(n_voxels)])
    to_early = rng.normal(size=(N_LOW, n_voxels)) / N_LOW**0.5
    to_late = rng.normal(size=(N_CLASSES, n_voxels)) / N_CLASSES**0.5
    return to_early, to_late, area


def _blur(rng, values: np.ndarray) -> np.ndarray:
    return (values + 0.2 * rng.normal(size=values.shape)).astype(np.float32)


def _place(n_voxels: int) -> np.ndarray:
    return np.stack(np.unravel_index(np.arange(n_voxels), (8, 8, 8)), axis=1)
