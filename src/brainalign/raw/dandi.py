"""Dandisets: data sets of NWB files that the DANDI archive publishes by number."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from brainalign.errors import InputError
from brainalign.raw.nwb import find_nwb_files

DESCRIPTION = "dandiset.yaml"
_IDENTIFIER = re.compile(r"^identifier:\s*['\"]?(?:DANDI:)?(\d{6})\b", re.MULTILINE)
_CLIENT = "dandi"


def locate_dandiset(folder: Path, number: str) -> Path:
    """Find the files of a dandiset below a folder; nothing is downloaded.

    Parameters
    ----------
    folder : Path
        Where ``dandi download`` was told to write, or the folder of the dandiset itself.
    number : str
        Six digits.

    Returns
    -------
    dandiset : Path
        The folder that holds ``dandiset.yaml`` and one folder per subject.

    Raises
    ------
    InputError
        The dandiset is not there, or the folder is that of another one.
    """
    remedy = (
        f"Run brainalign download-dandiset --dandiset {number} --folder {folder}, or dandi "
        f"download -o {folder} DANDI:{number}."
    )
    for candidate in (folder / number, folder):
        description = candidate / DESCRIPTION
        if not description.is_file():
            continue
        match = _IDENTIFIER.search(description.read_text(encoding="utf-8"))
        found = match.group(1) if match else "no identifier"
        if found == number:
            return candidate
        if candidate.name == number or candidate == folder:
            raise InputError(
                "is the folder of another dandiset",
                where=description,
                expected=number,
                found=found,
                remedy=remedy,
            )
    raise InputError(
        f"dandiset {number} is not in this folder",
        where=folder,
        expected=f"{number}/{DESCRIPTION}",
        remedy=remedy,
    )


def download_dandiset(folder: Path, number: str, version: str | None = None) -> Path:
    """Let DANDI's own client download a dandiset; what is there already is kept.

    Parameters
    ----------
    folder : Path
        Where its folder is made.
    number : str
        Six digits.
    version : str, optional
        A published version such as ``0.220126.1853``; None for the most recent one.

    Returns
    -------
    dandiset : Path
        As `locate_dandiset` gives it.

    Raises
    ------
    InputError
        The client is not installed, or fails, or no NWB file has arrived.
    """
    client = shutil.which(_CLIENT)
    if client is None:
        raise InputError(
            "the client of the DANDI archive is not installed",
            expected=f"a command '{_CLIENT}'",
            remedy="Install it (pip install dandi) in any environment on the PATH, or download "
            "the files elsewhere and copy them.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    address = f"DANDI:{number}" if version is None else f"DANDI:{number}/{version}"
    finished = subprocess.run(
        [client, "download", "--existing", "refresh", "--output-dir", str(folder), address],
        check=False,
    )
    if finished.returncode:
        raise InputError(
            f"the download of {address} failed with exit status {finished.returncode}",
            where=folder,
            remedy="Read what the client has printed above; a second call goes on where it ended.",
        )
    dandiset = locate_dandiset(folder, number)
    find_nwb_files(dandiset)
    return dandiset
