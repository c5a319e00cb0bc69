"""Write a page that shows one store or published folder, and print where it is.

The page is one file that needs no other. It holds samples of large arrays, and says so. Stores and
published folders never change, so the page is written elsewhere: for a folder of a results folder
into ``pages/`` of that results folder, for any other into a folder of the system's temporary files.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

# Folders of a results folder, see its README.md.
_STAGES = (
    "raw",
    "electrodes",
    "sorted",
    "listings",
    "preprocessed",
    "stimuli",
    "responses",
    "features",
    "backbones",
    "priors",
    "models",
    "predictions",
    "encoding",
    "scores",
    "scores.zarr",
)
_PAGES = "pages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign open``."""
    parser.add_argument("path", metavar="PATH", type=Path, help="a published store or folder")
    parser.add_argument(
        "--output",
        type=Path,
        default=None,
        metavar="FILE",
        help="file of the page; pages/ of the results folder, or a temporary folder, by default",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the page and print its path."""
    from brainalign.report.views.page import compose_store_page, find_report_page
    from brainalign.stores.publish import publish_file

    page = find_report_page(arguments.path)
    if page is None:
        html = compose_store_page(arguments.path)
        page = arguments.output or choose_output(arguments.path)
        with publish_file(page) as draft:
            draft.write_text(html, encoding="utf-8")
    print(page)


def choose_output(path: Path) -> Path:
    """Choose where the page of a folder is written.

    Parameters
    ----------
    path : Path
        A published folder.

    Returns
    -------
    page : Path
        In ``pages/`` of the results folder under the same name; in the temporary folder of this
        user where the path lies in no results folder or the results cannot be written.
    """
    folder = path.resolve()
    parents = [
        parent
        for parent, child in zip(folder.parents, [folder, *folder.parents], strict=False)
        if child.name in _STAGES
    ]
    # A data set may be called like a stage: the results folder holds most stages.
    results = max(parents, key=_count_stages, default=None)
    if results is not None and os.access(results, os.W_OK):
        inside = folder.relative_to(results)
        return results / _PAGES / inside.with_name(f"{inside.name}.html")
    temporary = Path(tempfile.gettempdir()) / f"brainalign-pages-{os.getuid()}"
    return temporary / f"{'-'.join(folder.parts[-3:])}.html"


def _count_stages(folder: Path) -> int:
    return sum((folder / name).is_dir() for name in _STAGES)
