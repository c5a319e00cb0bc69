"""The planted world of labels as stores, as the workflow would publish them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.registry import get_method_options
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.write import write_store
from unit.methods.label_world import LabelWorld

N_REPEATS = 2


@dataclass(frozen=True)
class LabelStores:
    stimuli: Path
    responses: tuple[Path, ...]
    features: Path

    def make_job(
        self, method: str, seeds: tuple[int, ...] = (0,), **options: object
    ) -> ExperimentJob:
        chosen = get_method_options(method).model_validate(options)
        return ExperimentJob(
            method=method,
            method_options=chosen.model_dump(mode="json"),
            options={
                "seeds": list(seeds),
                "feature": "projection/embedding",
                "normalisation": "none",
                "n_half_splits": 2,
            },
            stimuli=self.stimuli,
            responses=self.responses,
            features=self.features,
        )


def write_label_stores(
    folder: Path, world: LabelWorld, *, with_labels: bool = True, with_text: bool = True
) -> LabelStores:
    """Publish stimuli, features and one response store per subject."""
    splits = {"train": world.training, "validation": world.validation, "test": world.test}
    stimulus = np.concatenate([part.stimulus for part in splits.values()])
    names = [name for name, part in splits.items() for _ in part.stimulus]
    variables = {
        "image": (("stimulus", "y", "x", "channel"), np.zeros((len(stimulus), 2, 2, 3), np.uint8))
    }
    coords = {
        "stimulus": stimulus,
        "split": ("stimulus", names),
        "caption": ("stimulus", ["a thing"] * len(stimulus)),
    }
    if with_labels:
        label = np.concatenate([part.label for part in splits.values()])
        variables["label"] = (("stimulus", "class"), label)
        coords["class"] = [f"class-{number}" for number in range(label.shape[1])]
    stimuli = _publish(folder / "stimuli.zarr", xr.Dataset(variables, coords=coords), "stimuli")
    target = {
        level: np.concatenate([part.target[level] for part in splits.values()])
        for level in ("low", "high")
    }
    groups = {"/layer_1/map": target["low"], "/projection/embedding": target["high"]}
    if with_text:
        text = target["high"].copy()
        text[::7] = np.nan
        groups["/text/pooled"] = text
    tree = {
        path: xr.Dataset({"feature": (("stimulus", "dimension"), values)})
        for path, values in groups.items()
    }
    root = xr.Dataset(coords={"stimulus": stimulus})
    features = _publish(
        folder / "features.zarr", xr.DataTree.from_dict({"/": root, **tree}), "features"
    )
    responses = tuple(
        _publish(folder / f"{subject}.zarr", _compose_responses(splits, subject), "responses")
        for subject in world.training.list_subjects()
    )
    return LabelStores(stimuli, responses, features)


def _compose_responses(splits, subject: str) -> xr.Dataset:
    generator = np.random.default_rng(0)
    parts = [part.get_subject(subject) for part in splits.values()]
    mean = np.concatenate([part.response for part in parts])
    shown = np.concatenate([part.stimulus for part in parts])
    response = np.concatenate(
        [mean + 0.1 * generator.normal(size=mean.shape) for _ in range(N_REPEATS)]
    )
    area = splits["train"].area[subject]
    nothing = np.full(len(area), np.nan)
    return xr.Dataset(
        {
            "response": (("presentation", "unit"), response.astype(np.float32)),
            "noise_ceiling": ("unit", nothing),
            "reliability": ("unit", nothing),
            "unit_status": ("unit", ["ok"] * len(area)),
        },
        coords={
            "unit": [f"voxel-{number}" for number in range(len(area))],
            "area": ("unit", area),
            "voxel_index": (("unit", "axis"), splits["train"].voxel_index[subject]),
            "stimulus": ("presentation", np.tile(shown, N_REPEATS)),
            "repeat": ("presentation", np.repeat(np.arange(N_REPEATS), len(shown))),
            "session": ("presentation", ["1"] * len(response)),
        },
        attrs={"subject": subject},
    )


def _publish(path: Path, tree: xr.Dataset | xr.DataTree, kind: str) -> Path:
    write_store(path, tree, kind, ProvenanceRecorder(kind, {}, {}).finish())
    return path
