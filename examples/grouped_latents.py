"""What do groups of latents of a population say? MIG-Vis on planted responses.

Units mix the pose of an object, its category and something nobody labelled. Weak labels give pose
and category a group of latents each; the third group is free. The score is how well a linear
read-out finds the planted truth in its group; what the free group gives is chance.

Edits of images along a group need a trained image prior besides: give its folder as ``prior=`` to
``fit`` and call ``edit``; see docs/python.md.
"""

import tempfile
from pathlib import Path

import numpy as np

import brainalign
from brainalign.methods.mig_vis.described import DescribedResponses

N_KINDS, N_UNITS = 3, 40
OPTIONS = {
    "groups": [
        {"size": 4, "label": "pose"},
        {"size": 4, "label": "category"},
        {"size": 4, "label": None},
    ],
    "attributes": {"pose": ["yaw_deg", "pitch_deg"]},
    "vae": {"epochs": 60, "batch_size": 128},
}


def draw_split(rng: np.random.Generator, mixing: np.ndarray, n_stimuli: int) -> DescribedResponses:
    """Draw objects, and the responses of units that mix all about them."""
    kind = rng.integers(N_KINDS, size=n_stimuli)
    angle = rng.uniform(-60, 60, size=(n_stimuli, 2))
    unlabelled = rng.normal(size=(n_stimuli, 2))
    drive = np.hstack([2 * np.eye(N_KINDS)[kind], 2 * np.sin(np.deg2rad(angle)), unlabelled])
    response = drive @ mixing + 0.5 * rng.normal(size=(n_stimuli, N_UNITS))
    names = np.array(["face", "house", "tree"])[kind]
    return DescribedResponses.from_arrays(
        response, category=names, factor={"yaw_deg": angle[:, 0], "pitch_deg": angle[:, 1]}
    )


def explain(training: np.ndarray, test: np.ndarray, truths: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of the test truth's variance that a linear read-out of latents finds."""
    design, held_out = (np.c_[latent, np.ones(len(latent))] for latent in (training, test))
    weight = np.linalg.lstsq(design, truths[0], rcond=None)[0]
    return 1 - np.sum((held_out @ weight - truths[1]) ** 2) / np.sum(
        (truths[1] - truths[1].mean(axis=0)) ** 2
    )


def main() -> None:
    """Fit, save, load and score every method."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(N_KINDS + 4, N_UNITS))
    training, validation, test = (draw_split(rng, mixing, n) for n in (400, 80, 150))
    method_class = brainalign.get_method("mig_vis")
    method = method_class(method_class.Options.model_validate(OPTIONS))
    method.fit(training, validation, seed=0)

    with tempfile.TemporaryDirectory() as folder:
        method.save(Path(folder) / "mig_vis")
        loaded = brainalign.load_method(Path(folder) / "mig_vis")

    fitted, held_out = (loaded.predict(split.response).latent for split in (training, test))
    pose = tuple(np.sin(np.deg2rad(split.factor["yaw_deg"])) for split in (training, test))
    face = tuple((split.category == "face").astype(float) for split in (training, test))
    own_pose, own_kind, free = loaded.options.slice_groups()
    print("explained variance of a linear read-out, beside that of the free group")
    for name, group, truth in (("pose", own_pose, pose), ("category", own_kind, face)):
        own, by_chance = (explain(fitted[:, g], held_out[:, g], truth) for g in (group, free))
        print(f"mig_vis {name:9} {own:.2f}  chance {by_chance:.2f}")


if __name__ == "__main__":
    main()
