"""Raw recordings of multi-electrode arrays and NWB: read with rate, gain and places."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raw_formats import GAIN_UV, write_electrical_series, write_mcs_hdf5
from sorting_environment import PROGRAM, run_sorting
from sorting_labs import (
    GRID_UM,
    RATE_HZ,
    STIMULI,
    describe_lab,
    describe_session,
    draw_noise,
    write_events,
    write_probe,
)

pytestmark = pytest.mark.slow

_READ = f"""
import json, sys; sys.path.insert(0, {str(PROGRAM.parents[1])!r})
from pathlib import Path
from brainalign.sorting.options import PreprocessingOptions, SortSessionOptions
from brainalign.sorting.recordings import open_recording, prepare_recording
session = SortSessionOptions(**json.loads(sys.argv[1]))
probe = None if session.probe is None else Path(session.probe)
recording = open_recording(session, Path(session.folder), probe)
prepared = prepare_recording(recording, PreprocessingOptions(), "recording")
print(json.dumps({{
    "rate_hz": recording.get_sampling_frequency(),
    "n_samples": recording.get_num_samples(),
    "first_uv": recording.get_traces(end_frame=50, return_in_uV=True).tolist(),
    "place_um": recording.get_channel_locations().tolist(),
    "bad": list(prepared.bad_channels.values()),
}}))
"""


def describe_raw(folder: Path, name: str, file: Path, **options: Any) -> dict[str, Any]:
    write_events(folder / "events.tsv", STIMULI[:2])
    return describe_session(folder, format=name, folder=str(file), **options)


def write_raw(folder: Path, name: str, samples: np.ndarray) -> dict[str, Any]:
    """Write samples in one format; describe their session."""
    folder.mkdir(parents=True)
    if name == "nwb":
        path = write_electrical_series(
            folder / "raw.nwb", samples.astype(np.int16), RATE_HZ, GRID_UM
        )
        return describe_raw(folder, name, path)
    write_probe(folder / "probe.json")
    path = write_mcs_hdf5(folder / "raw.h5", samples.astype(np.int32), RATE_HZ)
    return describe_raw(folder, name, path, probe=str(folder / "probe.json"))


@pytest.mark.parametrize("name", ["mcsh5", "nwb"])
def test_samples_rate_gain_and_places_are_read(
    name: str, sorting_python: Path, tmp_path: Path
) -> None:
    samples = draw_noise()
    samples[:, 2] = 0
    session = write_raw(tmp_path / "a", name, samples)
    finished = subprocess.run(
        [str(sorting_python), "-c", _READ, json.dumps(session)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout.splitlines()[-1])
    assert found["rate_hz"] == pytest.approx(RATE_HZ, rel=1e-4)
    assert found["n_samples"] == len(samples)
    np.testing.assert_allclose(found["first_uv"], GAIN_UV * samples[:50], rtol=1e-5)
    np.testing.assert_allclose(found["place_um"], GRID_UM)
    assert found["bad"] == ["dead"]


def test_an_array_without_a_probe_is_refused(sorting_python: Path, tmp_path: Path) -> None:
    session = write_raw(tmp_path / "a", "mcsh5", draw_noise())
    session["probe"] = None
    finished = run_sorting(
        sorting_python,
        *("sort", "--dataset", "lab", "--options", describe_lab([session])),
        *("--output", tmp_path / "sorted"),
    )
    assert finished.returncode == 2
    assert "nothing tells where the electrodes are. Name a probe file" in finished.stderr
    assert not (tmp_path / "sorted").exists()


@pytest.mark.parametrize("name", ["mcsh5", "nwb"])
def test_a_file_that_is_cut_off_is_named(name: str, sorting_python: Path, tmp_path: Path) -> None:
    session = write_raw(tmp_path / "a", name, draw_noise())
    path = Path(session["folder"])
    path.write_bytes(path.read_bytes()[:3000])
    finished = run_sorting(
        sorting_python,
        *("sort", "--dataset", "lab", "--options", describe_lab([session])),
        *("--output", tmp_path / "sorted"),
    )
    assert finished.returncode == 3
    assert f"{path}: SpikeInterface cannot read it as {name}" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "sorted").exists()


def test_a_format_that_nobody_reads_names_the_nearest(sorting_python: Path, tmp_path: Path) -> None:
    session = write_raw(tmp_path / "a", "mcsh5", draw_noise())
    session["format"] = "mcs_h5"
    finished = run_sorting(
        sorting_python,
        *("sort", "--dataset", "lab", "--options", describe_lab([session])),
        *("--output", tmp_path / "sorted"),
    )
    assert finished.returncode == 2
    assert "format: unknown format 'mcs_h5'. Did you mean 'mcsh5'?" in finished.stderr
