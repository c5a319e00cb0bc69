"""Movies that cannot be used end a command with one line and its exit code, and publish nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from command_line import Command, check_refusal
from movie_scanner import make_options
from video_files import make_frames, write_video

FEW = {"epochs": 2, "contrast_epochs": 1, "steps_per_epoch": 2, "n_codes": 8, "window_trs": 6}
FILM = "movie-02"


def make_job(recording: Path) -> tuple[list[str | Path], Path]:
    output = recording.parent / "out" / "published.zarr"
    output.parent.mkdir()
    options = {"dataset": make_options().model_dump(mode="json")}
    words = ["--dataset", "scanner", "--recording", recording, "--options", json.dumps(options)]
    return [*words, "--output", output], output


def refuse_stimuli(command: Command, recording: Path, *parts: str, status: int = 2) -> None:
    words, output = make_job(recording)
    check_refusal(command("stimuli", *words), output, *parts, status=status)


def refuse_responses(command: Command, recording: Path, *parts: str) -> None:
    words, output = make_job(recording)
    check_refusal(command("responses", "--subject", "01", *words), output, *parts)


def refuse_fit(
    command: Command, stores: Path, folder: Path, method: dict[str, Any], *parts: str
) -> None:
    output = folder / "out" / "published"
    options = {
        "method": {"method": "neuroalign", **FEW, **method},
        "seeds": [0],
        "feature": "grid/map",
        "device": "cpu",
    }
    outcome = command(
        *("fit", "--method", "neuroalign", "--dataset", "scanner", "--backbone", "grid"),
        *("--stimuli", stores / "stimuli.zarr", "--responses", stores / "01.zarr"),
        *("--features", stores / "features.zarr", "--options", json.dumps(options)),
        *("--output", output),
    )
    check_refusal(outcome, output, *parts)


def cut_movie(recording: Path, n_frames: int) -> None:
    path = recording / "stimuli" / f"{FILM}.npy"
    np.save(path, np.load(path)[:n_frames])


def change_events(recording: Path, **columns: object) -> None:
    for path in (recording / "sub-01" / "func").glob("*_events.tsv"):
        pd.read_csv(path, sep="\t").assign(**columns).to_csv(path, sep="\t", index=False)


def replace_by_video(recording: Path, times_s: list[float]) -> None:
    write_video(recording / "stimuli" / "film.mp4", make_frames(len(times_s)), times_s)
    path = recording / "stimuli" / "movies.tsv"
    table = pd.read_csv(path, sep="\t", dtype=object)
    own = table["movie"] == FILM
    table.loc[own, ["path", "frame_rate_hz"]] = ["film.mp4", np.nan]
    table.drop(columns="n_frames", errors="ignore").to_csv(path, sep="\t", index=False)
    # What these tables say of frames was true of the other file.
    for name in ("movie_frames.tsv", "movie_captions.tsv"):
        (path.parent / name).unlink()


def test_zero_frames(command: Command, recording: Path) -> None:
    cut_movie(recording, 0)
    refuse_stimuli(
        command, recording, FILM, "has no frames", "expected one or more, found 0", "Copy"
    )


def test_missing_frames(command: Command, recording: Path) -> None:
    cut_movie(recording, 40)
    refuse_stimuli(command, recording, FILM, "another number of frames", "expected 48, found 40")


def test_a_variable_frame_rate(command: Command, recording: Path) -> None:
    replace_by_video(recording, [0, 1, 2, 3, *range(5, 49)])
    refuse_stimuli(command, recording, "film.mp4", "variable frame rate", "frame_rate_hz")


def test_a_video_that_is_cut_off(command: Command, recording: Path) -> None:
    replace_by_video(recording, [0, 1, 2, 3])
    path = recording / "stimuli" / "film.mp4"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    refuse_stimuli(command, recording, "film.mp4", status=3)


def test_missing_captions(command: Command, recording: Path) -> None:
    path = recording / "stimuli" / "movie_captions.tsv"
    pd.read_csv(path, sep="\t").iloc[1:].to_csv(path, sep="\t", index=False)
    refuse_stimuli(command, recording, "movie_captions.tsv", "missing captions")


def test_a_movie_shorter_than_its_runs(command: Command, recording: Path) -> None:
    change_events(recording, duration=60.0)
    refuse_responses(command, recording, "shorter than its presentation", "48 frames at 1 Hz")


def test_a_run_shorter_than_its_movie(command: Command, recording: Path) -> None:
    change_events(recording, onset=30.0)
    refuse_responses(command, recording, "ends before its movie", "expected 48 s", "found 36 s")


def test_one_film_in_two_splits(command: Command, recording: Path) -> None:
    films = [recording / "stimuli" / f"movie-{number:02d}.npy" for number in (1, 4)]
    shutil.copyfile(films[0], films[1])
    refuse_stimuli(command, recording, "movie-01", "movie-04", "split")


def test_a_batch_of_one_clip(command: Command, stores: Path, tmp_path: Path) -> None:
    refuse_fit(command, stores, tmp_path, {"batch_size": 1}, "single window", "Set batch_size to 2")


def test_a_codebook_larger_than_the_data(command: Command, stores: Path, tmp_path: Path) -> None:
    parts = ("larger than the data", "expected n_codes of at most", "found 8000")
    refuse_fit(command, stores, tmp_path, {"n_codes": 8000}, *parts)


def test_a_movie_shorter_than_a_window(command: Command, stores: Path, tmp_path: Path) -> None:
    refuse_fit(command, stores, tmp_path, {"window_trs": 30}, "shorter than a window")


def test_captions_that_nobody_embedded(command: Command, stores: Path, tmp_path: Path) -> None:
    refuse_fit(command, stores, tmp_path, {"text_path": "text/tokens"}, "no caption features")
