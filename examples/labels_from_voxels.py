"""What does an image show? CLIP-MUSED and eight baselines on planted voxels of two subjects.

Early regions carry low-level latents, late ones the labels; each subject mixes them in voxels of
its own. Features of an image and a text model guide CLIP-MUSED's low and high level. The score is
mean average precision over classes; chance is how often a class is there.
"""

import tempfile
from pathlib import Path

import numpy as np

import brainalign
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.labels.precision import compute_mean_average_precision

N_LOW, N_CLASSES, N_VOXELS = 6, 4, 48
SUBJECTS = ("anna", "ben")
AREA = np.repeat(["V1", "V2", "FFA", "LOC"], N_VOXELS // 4)

NETWORK = {"epochs": 5, "batch_size": 32}
METHODS = {
    "clip_mused": {**NETWORK, "width": 32, "patch_length": 12},
    "label_vit": {**NETWORK, "width": 32, "patch_length": 12},
    "label_vit_pooled": {**NETWORK, "width": 32, "patch_length": 12},
    "label_vit_embedding": {**NETWORK, "width": 32, "patch_length": 12},
    "label_mlp": NETWORK,
    "label_mlp_pooled": NETWORK,
    "label_logistic": {},
    "label_ridge": {},
    "label_srm": {},
}


def draw_split(rng: np.random.Generator, mixing: dict, n_stimuli: int) -> LabelledResponses:
    """Draw labels and low-level latents, and the voxels that answer to them."""
    label = rng.random((n_stimuli, N_CLASSES)) < 0.3
    low = rng.normal(size=(n_stimuli, N_LOW))
    response = {}
    for subject, (from_low, from_label) in mixing.items():
        drive = np.where(np.isin(AREA, ["V1", "V2"]), low @ from_low, 2 * label @ from_label)
        response[subject] = drive + 0.5 * rng.normal(size=drive.shape)
    return LabelledResponses.from_arrays(
        label, response, area=AREA, target={"low": low, "high": label - 0.3}
    )


def main() -> None:
    """Fit, save, load and score every method."""
    rng = np.random.default_rng(0)
    mixing = {
        name: (rng.normal(size=(N_LOW, N_VOXELS)), rng.normal(size=(N_CLASSES, N_VOXELS)))
        for name in SUBJECTS
    }
    training, validation, test = (draw_split(rng, mixing, n) for n in (160, 40, 80))
    chance = test.label.mean()
    print("mean average precision over classes")
    for name, options in METHODS.items():
        method_class = brainalign.get_method(name)
        method = method_class(method_class.Options(**options))
        # Some methods take all subjects at once, the others one.
        kept = list(SUBJECTS) if method.requirements.subjects == "many" else ["anna"]
        method.fit(training.select_subjects(kept), validation.select_subjects(kept), seed=0)

        with tempfile.TemporaryDirectory() as folder:
            method.save(Path(folder) / name)
            loaded = brainalign.load_method(Path(folder) / name)

        predicted = loaded.predict("anna", test.get_subject("anna").response)
        precision = compute_mean_average_precision(predicted.score, test.label)
        print(f"{name:20} {precision:.2f}  chance {chance:.2f}")


if __name__ == "__main__":
    main()
