"""Writers that are killed, raced, or out of disk leave the old store or the new one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import CorruptDataError, ResourceError
from brainalign.stores import publish
from brainalign.stores.publish import publish_file, publish_folder
from brainalign.stores.read import read_store
from brainalign.stores.verify import find_store_problems
from brainalign.stores.write import write_store
from faults.writer import find_versions, make_version

_WRITER = Path(__file__).with_name("writer.py")
_N_KILLS = 25


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results" / "sub-01.zarr"
    write_store(path, make_version(1), "responses")
    return path


@pytest.fixture
def writer_server() -> Iterator[subprocess.Popen[str]]:
    server = subprocess.Popen(
        [sys.executable, str(_WRITER), "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield server
    finally:
        server.communicate(timeout=30)


def _kill_a_writer(
    server: subprocess.Popen[str],
    path: Path,
    first: int,
    delay: float,
    has_begun: Callable[[], object] = lambda: True,
) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{path}\t{first}\n")
    server.stdin.flush()
    child = int(server.stdout.readline())
    deadline = time.monotonic() + 30
    while not has_begun() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    assert server.stdout.readline() == "gone\n"


def _list_drafts(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name != path.name)


def _make_noise(n_bytes: int) -> xr.DataTree:
    """Features that do not compress."""
    noise = np.random.default_rng(0).random((n_bytes // 400, 100), dtype=np.float32)
    stimuli = [f"stimulus-{position}" for position in range(len(noise))]
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"stimulus": stimuli}),
            "/grid/feature": xr.Dataset({"feature": (("stimulus", "dimension"), noise)}),
        }
    )


def test_a_killed_writer_leaves_the_old_or_the_new_store(
    store: Path, writer_server: subprocess.Popen[str]
) -> None:
    delays = random.Random(0)
    version, n_interrupted = 1, 0

    def has_draft() -> bool:
        return bool(_list_drafts(store))

    def has_new_store(old: int) -> bool:
        return store.stat().st_ino != old

    for kill in range(_N_KILLS):
        has_replaced = functools.partial(has_new_store, store.stat().st_ino)
        has_begun = has_replaced if kill % 3 == 0 else has_draft
        delay = delays.uniform(0, 0.3)
        _kill_a_writer(writer_server, store, version + 1, delay, has_begun)
        n_interrupted += bool(_list_drafts(store))
        assert find_store_problems(store) == []
        versions = find_versions(read_store(store, "responses"))
        assert len(versions) == 1, f"a mixture of {versions}"
        assert versions.pop() >= version
        version = int(read_store(store, "responses")["repeat"][0])
    # Otherwise the kills missed the writes and the claims above were not put to the test.
    assert n_interrupted > 0
    assert version > 1
    write_store(store, make_version(0), "responses")
    assert _list_drafts(store) == []


def test_a_writer_killed_before_its_first_store_leaves_nothing(
    tmp_path: Path, writer_server: subprocess.Popen[str]
) -> None:
    for position in range(5):
        path = tmp_path / str(position) / "sub-01.zarr"
        _kill_a_writer(writer_server, path, 1, 0.005 * position)
        if path.exists():
            assert find_store_problems(path) == []


def test_a_full_disk_keeps_the_old_store_and_leaves_nothing_else(small_disk: Path) -> None:
    path = small_disk / "pixels.zarr"
    write_store(path, _make_noise(400_000), "features")
    old = read_store(path, "features")
    with pytest.raises(ResourceError, match="no space left"):
        write_store(path, _make_noise(8_000_000), "features")
    assert find_store_problems(path) == []
    assert read_store(path, "features").identical(old)
    assert _list_drafts(path) == []


@pytest.mark.parametrize("n_bytes", [1_400_000, 1_900_000, 2_050_000, 8_000_000])
def test_a_full_disk_publishes_whole_or_nothing(small_disk: Path, n_bytes: int) -> None:
    path = small_disk / "pixels.zarr"
    tree = _make_noise(n_bytes)
    try:
        write_store(path, tree, "features")
    except ResourceError:
        assert list(small_disk.iterdir()) == []
        return
    np.testing.assert_array_equal(
        read_store(path, "features")["grid/feature/feature"], tree["grid/feature/feature"]
    )


def test_a_file_size_limit_keeps_the_old_store(store: Path) -> None:
    process = subprocess.run(
        [sys.executable, str(_WRITER), "limit", str(store), "1000000"],
        capture_output=True,
        text=True,
    )
    assert process.returncode == ResourceError.exit_code, process.stderr
    assert "size limit" in process.stderr
    assert find_store_problems(store) == []
    assert find_versions(read_store(store, "responses")) == {1}
    assert _list_drafts(store) == []


def test_a_file_size_limit_leaves_nothing_at_a_new_path(tmp_path: Path) -> None:
    path = tmp_path / "sub-01.zarr"
    process = subprocess.run([sys.executable, str(_WRITER), "limit", str(path), "1000000"])
    assert process.returncode == ResourceError.exit_code
    assert list(tmp_path.iterdir()) == []


def test_two_processes_that_publish_one_path_leave_one_whole_store(tmp_path: Path) -> None:
    path = tmp_path / "sub-01.zarr"
    processes = [
        subprocess.Popen([sys.executable, str(_WRITER), "replace", str(path), first, "3"])
        for first in ("100", "200")
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert find_store_problems(path) == []
    assert find_versions(read_store(path, "responses")) <= {102, 202}
    assert _list_drafts(path) == []


def test_many_publishers_of_one_path_never_remove_each_others_drafts(tmp_path: Path) -> None:
    path = tmp_path / "report"
    failures: list[BaseException] = []

    def publish_often(name: str) -> None:
        try:
            for _ in range(60):
                with publish_folder(path, "report") as draft:
                    (draft / "page.html").write_text(name, encoding="utf-8")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=publish_often, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert find_store_problems(path) == []
    assert _list_drafts(path) == []


def _after_creating_a_lock(monkeypatch: pytest.MonkeyPatch, act: Callable[[str], None]) -> None:
    """Let another writer act once, between the creation of a lock file and its locking."""
    open_file, is_done = os.open, threading.Event()

    def open_and_let_act(path: str, flags: int, *mode: int) -> int:
        descriptor = open_file(path, flags, *mode)
        if flags & os.O_CREAT and str(path).endswith(".lock") and not is_done.is_set():
            is_done.set()
            act(str(path))
        return descriptor

    monkeypatch.setattr(os, "open", open_and_let_act)


def test_a_lock_file_that_another_writer_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _after_creating_a_lock(monkeypatch, lambda lock: Path(lock).unlink())
    with publish_folder(tmp_path / "report", "report") as draft:
        assert draft.with_name(f"{draft.name}.lock").is_file()


def test_a_writer_waits_while_another_looks_at_its_new_lock_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold_for_a_moment(lock: str) -> None:
        descriptor = os.open(lock, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        threading.Timer(0.1, os.close, [descriptor]).start()

    _after_creating_a_lock(monkeypatch, hold_for_a_moment)
    with publish_folder(tmp_path / "report", "report"):
        pass
    assert find_store_problems(tmp_path / "report") == []


@pytest.mark.parametrize("name", ["sub-01.zarr", "sub[1]*.zarr"])
def test_the_draft_of_a_killed_writer_is_removed_by_the_next(tmp_path: Path, name: str) -> None:
    abandoned = tmp_path / f".{name}.draft-0123456789ab"
    abandoned.mkdir()
    (abandoned / "half").write_text("written", encoding="utf-8")
    (tmp_path / f"{abandoned.name}.lock").touch()
    write_store(tmp_path / name, make_version(1), "responses")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_draft_of_a_living_writer_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "report"
    with publish_folder(path, "report") as slow:
        (slow / "page.html").write_text("slow", encoding="utf-8")
        with publish_folder(path, "report") as fast:
            (fast / "page.html").write_text("fast", encoding="utf-8")
        assert (path / "page.html").read_text(encoding="utf-8") == "fast"
        assert (slow / "page.html").is_file()
    assert (path / "page.html").read_text(encoding="utf-8") == "slow"
    assert _list_drafts(path) == []


def test_the_draft_of_another_path_is_not_removed(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "first", "report") as first:
        (first / "page.html").touch()
    foreign = tmp_path / ".second.draft-0123456789ab"
    foreign.mkdir()
    (tmp_path / f"{foreign.name}.lock").touch()
    with publish_folder(tmp_path / "first", "report") as first:
        (first / "page.html").touch()
    assert foreign.is_dir()


def test_an_error_inside_the_block_keeps_the_old_store(store: Path) -> None:
    with (
        contextlib.suppress(ZeroDivisionError),
        publish_folder(store, "responses") as draft,
    ):
        (draft / "half").write_text("written", encoding="utf-8")
        raise ZeroDivisionError
    assert find_versions(read_store(store, "responses")) == {1}
    assert _list_drafts(store) == []


def test_a_read_only_disk_is_a_resource_error(read_only_disk: Path) -> None:
    with pytest.raises(ResourceError, match="read-only") as caught:
        write_store(read_only_disk / "sub-01.zarr", make_version(1), "responses")
    assert caught.value.exit_code == 4


def test_a_path_that_may_not_be_written_is_a_resource_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(ResourceError, match="no permission"):
        write_store(tmp_path / "new" / "sub-01.zarr", make_version(1), "responses")


@pytest.mark.parametrize("is_replacement", [True, False])
def test_a_file_system_without_exchange_still_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_replacement: bool
) -> None:
    path = tmp_path / "sub-01.zarr"
    if is_replacement:
        write_store(path, make_version(1), "responses")
    monkeypatch.setattr(publish, "_exchange", lambda draft, path: False)
    write_store(path, make_version(2), "responses")
    assert find_versions(read_store(path, "responses")) == {2}
    assert _list_drafts(path) == []


def test_a_chunk_that_the_disk_swallowed_is_noticed_before_publishing(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = xr.DataTree.to_zarr

    def lose_one_chunk(tree: xr.DataTree, draft: Path, **options: object) -> None:
        write(tree, draft, **options)
        (draft / "response" / "c" / "0" / "0").unlink()

    monkeypatch.setattr(xr.DataTree, "to_zarr", lose_one_chunk)
    with pytest.raises(CorruptDataError, match="did not reach the disk"):
        write_store(store, make_version(2), "responses")
    assert find_versions(read_store(store, "responses")) == {1}


def test_a_file_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old", encoding="utf-8")
    with contextlib.suppress(ZeroDivisionError), publish_file(path) as draft:
        draft.write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert path.read_text(encoding="utf-8") == "old"
    assert _list_drafts(path) == []
