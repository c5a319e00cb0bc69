"""A loopback SLURM for tests: start it, run commands in it, read its records, end it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_SCRIPT = Path(__file__).with_name("run_cluster.sh")
_NEEDED = (
    *("unshare", "nsenter", "ip", "ps", "pkill"),
    *("munged", "slurmctld", "slurmd", "sbatch"),
    *("slurmdbd", "mariadbd", "mysql_install_db"),
)
_NAMESPACES = ("--mount", "--net", "--pid")
# SLURM's daemons lie there, and not everybody's PATH has it.
SEARCH_PATH = (
    f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
)


def find_obstacle() -> str | None:
    """Say why the daemons cannot run here; None where they can."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "snakemake-executor-plugin-slurm is not installed (pip)"
    missing = [name for name in _NEEDED if shutil.which(name, path=SEARCH_PATH) is None]
    if missing:
        packages = "slurm-wlm munge slurmdbd mariadb-server iproute2 procps"
        return f"{', '.join(missing)} not found (apt: {packages})"
    # Mounting also in the trial: some containers allow namespaces but no mounts in them.
    trial = subprocess.run(
        ["unshare", *_NAMESPACES, "--fork", "--mount-proc", "mount", "-t", "tmpfs", "x", "/mnt"],
        capture_output=True,
        text=True,
    )
    if trial.returncode != 0:
        return f"no namespaces here (needs root): {trial.stderr.strip()}"
    return None


@dataclass(frozen=True)
class JobRecord:
    """What SLURM wrote down about one job or task of an array, from `scontrol show job`."""

    fields: dict[str, str]

    @property
    def id(self) -> str:
        return self.fields["JobId"]

    @property
    def rule(self) -> str:
        """Rule or group that the job ran, from the comment that the executor gives it."""
        return self.fields.get("Comment", "").removeprefix("rule_").split("_wildcards")[0]

    @property
    def state(self) -> str:
        return self.fields["JobState"]

    @property
    def partition(self) -> str:
        return self.fields["Partition"]

    @property
    def requested(self) -> dict[str, str]:
        """Requested resources by name: cpu, mem, node, gres/gpu."""
        text = self.fields.get("TRES", "")
        return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


class SlurmCluster:
    """A running cluster.

    Parameters
    ----------
    folder : Path
        New folder for state, logs and sockets; its path must be short (sockets).
    accounting : bool
        Whether slurmdbd keeps records, so that `sacct` works.
    """

    def __init__(self, folder: Path, accounting: bool) -> None:
        self.folder = folder
        self.accounting = accounting
        mode = "accounting" if accounting else "plain"
        folder.mkdir(parents=True, exist_ok=True)
        self._output = (folder / "start.log").open("w")
        # --kill-child: whatever happens to this process, the daemons end with it.
        self._process = subprocess.Popen(
            [
                *("unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc"),
                *("bash", str(_SCRIPT), str(folder), mode),
            ],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": SEARCH_PATH},
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not (self.folder / "ready").exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(
                    f"the cluster did not start:\n{(self.folder / 'start.log').read_text()}"
                )
            time.sleep(0.2)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first_process = children.read_text().split()[0]

    def stop(self) -> None:
        """End all daemons and jobs."""
        self._process.kill()
        self._process.wait()
        self._output.close()

    def wrap(self, *words: str, folder: Path) -> list[str]:
        """Extend a command so that it runs in a folder on the login node."""
        enter = ("nsenter", "--target", self._first_process, *_NAMESPACES)
        return [*enter, f"--wd={folder}", "--", *words]

    def run(self, *words: str) -> str:
        """Run a command on the login node and return what it prints.

        Raises
        ------
        RuntimeError
            If it fails; the message has its output.
        """
        completed = subprocess.run(
            self.wrap(*words, folder=self.folder),
            env={**os.environ, "PATH": SEARCH_PATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} failed:\n{completed.stdout}")
        return completed.stdout

    def list_jobs(self) -> list[JobRecord]:
        """Read what the controller knows of all jobs, also of ended ones."""
        lines = self.run("scontrol", "--oneliner", "show", "job").splitlines()
        return [JobRecord(_parse_fields(line)) for line in lines if line.startswith("JobId=")]

    def wait_for_job(self, rule: str, state: str, seconds: float = 60) -> JobRecord:
        """Wait until a job of a rule has a state.

        Raises
        ------
        TimeoutError
            If none has within the time; the message lists the jobs.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            jobs = self.list_jobs()
            for job in jobs:
                if job.rule == rule and job.state == state:
                    return job
            time.sleep(0.3)
        raise TimeoutError(f"no {state} job of {rule}: {[(j.rule, j.state) for j in jobs]}")

    def kill_node(self, node: str) -> None:
        """Kill a node: its daemon and everything that it runs, as a power cut would."""
        daemon = (self.folder / "run" / f"slurmd.{node}.pid").read_text().strip()
        jobs = [job.id for job in self.list_jobs() if job.fields.get("NodeList") == node]
        processes = self.run("ps", "-eo", "pid=,ppid=,args=").splitlines()
        table = [line.split(maxsplit=2) for line in processes]
        doomed = {daemon}
        # Each step of a job has a supervisor, "slurmstepd: [12.batch]", outside of the daemon.
        doomed |= {pid for pid, _, words in table if words.startswith(_name_supervisors(jobs))}
        for _ in table:
            doomed |= {pid for pid, parent, _ in table if parent in doomed}
        self.run("kill", "-KILL", *sorted(doomed))


def _name_supervisors(jobs: list[str]) -> tuple[str, ...]:
    return tuple(f"slurmstepd: [{job}." for job in jobs)


def _parse_fields(line: str) -> dict[str, str]:
    """Split `scontrol --oneliner`; words without = belong to the value before."""
    fields: dict[str, str] = {}
    last = ""
    for word in line.split():
        name, separator, value = word.partition("=")
        if separator and name.replace("/", "").replace(":", "").isidentifier():
            last = name
            fields[name] = value
        elif last:
            fields[last] += f" {word}"
    return fields
