"""Run fMRIPrep from its container on one subject."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from brainalign.errors import InputError, ResourceError
from brainalign.raw.bids.files import walk_files
from brainalign.raw.fmri_options import FMRIPrepPreprocessing

_PLACES = ("bids", "output", "work", "subject", "threads", "memory_mb", "license")


def compose_command(
    options: FMRIPrepPreprocessing, bids: Path, output: Path, work: Path, subject: str
) -> list[str]:
    """Fill in the words of the container's command.

    Raises
    ------
    InputError
        If a word holds a place that is not known.
    """
    values = {
        "bids": str(bids.resolve()),
        "output": str(output.resolve()),
        "work": str(work.resolve()),
        "subject": subject,
        "threads": str(options.threads),
        "memory_mb": str(options.memory_mb),
        "license": str(Path(options.license).expanduser().resolve()),
    }
    words = []
    for word in options.command:
        try:
            words.append(word.format_map(values))
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"cannot fill in '{word}'",
                where="preprocessing.command",
                expected=", ".join(f"{{{place}}}" for place in _PLACES),
                found=str(error),
            ) from error
    return words


def run_fmriprep(options: FMRIPrepPreprocessing, bids: Path, output: Path, subject: str) -> None:
    """Run the container and check what it left.

    Parameters
    ----------
    options : FMRIPrepPreprocessing
        Command and resources.
    bids, output : Path
        The raw data set, and an existing folder for the derivatives.
    subject : str
        Label.

    Raises
    ------
    InputError
        If the program is not there.
    ResourceError
        If it fails or leaves no preprocessed volumes.

    Notes
    -----
    What the container prints goes to this process's output and so into the log of the rule.
    """
    with tempfile.TemporaryDirectory(prefix="fmriprep-") as work:
        words = compose_command(options, bids, output, Path(work), subject)
        if shutil.which(words[0]) is None:
            raise InputError(
                f"no program '{words[0]}'",
                where="preprocessing.command",
                remedy="Install it, or set preprocessing.command to a container program you have.",
            )
        completed = subprocess.run(words, check=False)
    if completed.returncode:
        raise ResourceError(
            "fMRIPrep failed; nothing was published",
            where=f"sub-{subject}",
            found=f"exit status {completed.returncode}",
            remedy="Its messages stand above.",
        )
    if not any(
        file.suffix == "bold" and file.entities.get("desc") == "preproc"
        for file in walk_files(output, [subject])
    ):
        raise ResourceError(
            "fMRIPrep left no preprocessed volumes",
            where=f"sub-{subject}",
            expected=f"sub-{subject}/**/func/*_desc-preproc_bold.nii.gz",
            remedy="Check preprocessing.command: {output} must be its output folder.",
        )
