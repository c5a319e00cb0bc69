"""Publish a folder whole or not at all.

The content is written into a temporary sibling, flushed, described by a manifest with a checksum
per file, and then renamed into place in one step. A reader sees the old folder or the new one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import glob
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brainalign.errors import InputError, ResourceError
from brainalign.stores.manifest import MANIFEST_NAME, build_manifest

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h: swap two paths atomically
_LOCK_SUFFIX = ".lock"

_RESOURCE_ERRORS = {
    errno.ENOSPC: ("no space left on the disk", "Free space and run the command again."),
    errno.EDQUOT: ("the disk quota is used up", "Free space and run the command again."),
    errno.EFBIG: ("a file would exceed the size limit", "Raise the limit (ulimit -f)."),
    errno.EROFS: ("the file system is read-only", "Choose a results folder you may write to."),
    errno.EACCES: ("no permission to write", "Choose a results folder you may write to."),
    errno.EPERM: ("no permission to write", "Choose a results folder you may write to."),
    errno.EMFILE: ("too many open files", "Raise the limit (ulimit -n)."),
    errno.ENOMEM: ("out of memory", "Lower batch sizes or give the job more memory."),
}


@contextlib.contextmanager
def publish_folder(
    path: Path, kind: str, provenance: dict[str, Any] | None = None
) -> Iterator[Path]:
    """Write a folder so that it appears whole or not at all.

    Parameters
    ----------
    path : Path
        Where the folder shall appear. An older one there is replaced in one step.
    kind : str
        Kind of the folder, for its manifest.
    provenance : dict, optional
        Where the content came from; must be JSON. It may be filled until the block ends.

    Yields
    ------
    draft : Path
        A temporary sibling to write into.

    Raises
    ------
    ResourceError
        If the disk is full, read-only or not writable. Nothing is left at `path` but what was
        there before.

    Notes
    -----
    A process that is killed leaves its draft behind; the next one to publish the same path
    removes drafts whose writer no longer holds their lock.
    """
    path = Path(path)
    with convert_resource_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_drafts(path)
        draft = path.parent / f".{path.name}.draft-{uuid.uuid4().hex[:12]}"
        with _hold_lock(draft):
            try:
                draft.mkdir()
                yield draft
                manifest = build_manifest(draft, kind, provenance or {})
                (draft / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
                _flush(draft)
                _move_into_place(draft, path)
            finally:
                # Either what was half-written, or the older folder that was just replaced.
                shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def publish_file(path: Path) -> Iterator[Path]:
    """Write one file so that it appears whole or not at all.

    Parameters
    ----------
    path : Path
        Where the file shall appear.

    Yields
    ------
    draft : Path
        A temporary sibling to write to.
    """
    path = Path(path)
    with convert_resource_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.parent / f".{path.name}.draft-{uuid.uuid4().hex[:12]}"
        try:
            yield draft
            _flush_file(draft)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def convert_resource_errors(where: Path) -> Iterator[None]:
    """Turn errors of the operating system about resources into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno not in _RESOURCE_ERRORS:
            raise
        what, remedy = _RESOURCE_ERRORS[error.errno]
        raise ResourceError(f"{what}; nothing was published", where=where, remedy=remedy) from error


@contextlib.contextmanager
def _hold_lock(draft: Path) -> Iterator[None]:
    """Hold the lock that tells other writers that this draft is alive."""
    lock_path = draft.with_name(draft.name + _LOCK_SUFFIX)
    lock = os.open(lock_path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        while not _is_same_file(lock, lock_path):
            # Another writer took the new, not yet locked file for an abandoned one.
            os.close(lock)
            lock = os.open(lock_path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(lock)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove_abandoned_drafts(path: Path) -> None:
    """Remove what killed writers of the same path left; the system freed their locks."""
    for lock_path in path.parent.glob(f".{glob.escape(path.name)}.draft-*{_LOCK_SUFFIX}"):
        with contextlib.suppress(OSError):
            lock = os.open(lock_path, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_same_file(lock, lock_path):
                    draft = lock_path.with_name(lock_path.name.removesuffix(_LOCK_SUFFIX))
                    shutil.rmtree(draft, ignore_errors=True)
                    lock_path.unlink(missing_ok=True)
            finally:
                os.close(lock)


def _flush(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            _flush_file(Path(parent) / name)
        _flush_file(Path(parent))


def _flush_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_into_place(draft: Path, path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InputError("a file stands where a folder shall be published", where=path)
    if not path.exists():
        try:
            draft.rename(path)
        except OSError as error:
            # Another run published the same path just now: replace it like any older one.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            _flush_file(path.parent)
            return
    if _exchange(draft, path):
        _flush_file(path.parent)
        return
    # No atomic exchange on this file system: the old store steps aside for an instant, and a
    # reader in that instant finds no store, never a mixture.
    aside = path.parent / f".{path.name}.draft-{uuid.uuid4().hex[:12]}"
    path.rename(aside)
    try:
        draft.rename(path)
    except OSError:
        aside.rename(path)
        raise
    _flush_file(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(draft: Path, path: Path) -> bool:
    """Swap two folders atomically; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    status = renameat2(
        _AT_FDCWD, os.fsencode(draft), _AT_FDCWD, os.fsencode(path), _RENAME_EXCHANGE
    )
    if status == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(path))
