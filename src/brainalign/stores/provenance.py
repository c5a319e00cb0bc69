"""Where a store came from: package, options, inputs, seeds, device and time."""

from __future__ import annotations

import hashlib
import json
import platform
import resource
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brainalign import __version__
from brainalign.stores.manifest import MANIFEST_NAME, compute_checksum, read_manifest


class ProvenanceRecorder:
    """Collects the provenance of one job from its start on.

    Parameters
    ----------
    stage : str
        Stage of the job.
    options : dict
        Every option that the job used, as JSON values.
    inputs : dict of str to Path
        What the job read: published folders or single files, by role.
    """

    def __init__(
        self, stage: str, options: Mapping[str, Any], inputs: Mapping[str, Path] | None = None
    ) -> None:
        self._started_at = datetime.now(UTC)
        self._clock, self._cpu_clock = time.perf_counter(), time.process_time()
        self.record: dict[str, Any] = {
            "stage": stage,
            "brainalign_version": __version__,
            "options": dict(options),
            "options_digest": compute_options_digest(options),
            "inputs": {role: _digest_input(path) for role, path in (inputs or {}).items()},
        }

    def finish(
        self, *, run_facts: Mapping[str, object] | None = None, **facts: Any
    ) -> dict[str, Any]:
        """Give the record with further facts (seeds, device, precision) and the run's cost.

        Parameters
        ----------
        run_facts : mapping, optional
            Further facts about the run, such as the memory that it took on a GPU.
        **facts
            What identifies the content.

        Returns
        -------
        provenance : dict
            JSON values. Times and host facts stand under ``run``, apart from what identifies
            the content.
        """
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.record.update(facts)
        self.record["run"] = {
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "wall_s": round(time.perf_counter() - self._clock, 2),
            "cpu_s": round(time.process_time() - self._cpu_clock, 2),
            "peak_memory_mb": round(peak_kib / 1024),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **(run_facts or {}),
        }
        return self.record


def compute_options_digest(options: Mapping[str, Any]) -> str:
    """Compute a digest of options that does not depend on the order of their keys."""
    text = json.dumps(options, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_input(path: Path) -> str:
    if (path / MANIFEST_NAME).is_file():
        return read_manifest(path).digest
    if path.is_file():
        return compute_checksum(path)
    return "unpublished"
