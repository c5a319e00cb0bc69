"""Begin with your own data: write a folder with a configuration, a guide and a script.

The folder holds config.yaml (short, commented, whole), README.md (which files go where, with
columns and units), make_recording.py (turns your arrays into the files that are read; as it stands
it writes a tiny example, so that the way to the page can be walked before your data are in), and
empty folders for your files. Nothing that exists is ever overwritten.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from brainalign.errors import InputError, ResourceError
from brainalign.options import suggest_name
from brainalign.templates.registry import TEMPLATES

FILES = ("README.md", "config.yaml", "make_recording.py")
_UNKNOWN_SNAKEFILE = "PATH/TO/brainalign/Snakefile"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign new``."""
    width = max(map(len, TEMPLATES))
    lines = [f"  {name:<{width}}  {template.summary}" for name, template in TEMPLATES.items()]
    parser.epilog = "\n".join(["kinds:", *lines])
    parser.add_argument("kind", metavar="KIND", help="one of the kinds below")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="new or empty folder")


def run(arguments: argparse.Namespace) -> None:
    """Write the folder and say what comes next."""
    write_template(arguments.kind, arguments.folder)
    print(
        f"wrote {arguments.folder}: {', '.join(FILES)}\nnext: read {arguments.folder / 'README.md'}"
    )


def write_template(kind: str, folder: Path) -> None:
    """Write the files of a template.

    Parameters
    ----------
    kind : str
        A key of :data:`brainalign.templates.registry.TEMPLATES`.
    folder : Path
        New or empty.

    Raises
    ------
    InputError
        If the kind is unknown, or the folder holds anything.
    ResourceError
        If the folder cannot be written.
    """
    if kind not in TEMPLATES:
        raise InputError(f"no template '{kind}'", remedy=suggest_name(kind, TEMPLATES))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "exists and is not empty",
            where=folder,
            expected="a new or an empty folder",
            remedy="Choose another name; nothing was written.",
        )
    source = Path(__file__).parent / kind
    try:
        for name in ("", *TEMPLATES[kind].folders):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            text = (source / name).read_text(encoding="utf-8")
            text = text.replace(_UNKNOWN_SNAKEFILE, find_snakefile())
            # Exclusive: what another process put there meanwhile stays as it is.
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ResourceError(
            "the folder cannot be written",
            where=folder,
            found=error.strerror or str(error),
            remedy="Choose a place where you may write.",
        ) from error


def find_snakefile() -> str:
    """Name the Snakefile of the project that this package was installed from, for a shell.

    Returns
    -------
    path : str
        Quoted where it needs to be; a placeholder where the package lies outside the project.
    """
    path = Path(__file__).resolve().parents[3] / "Snakefile"
    return shlex.quote(str(path)) if path.is_file() else _UNKNOWN_SNAKEFILE
