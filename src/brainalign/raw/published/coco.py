"""Labels and captions of COCO's pictures, as its annotation files state them.

Lin et al. (2014), Microsoft COCO: common objects in context; the files are those of
https://cocodataset.org (annotations of train2017 and val2017).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from brainalign.errors import CorruptDataError, InputError


def read_visible_categories(
    paths: Iterable[Path], crops: dict[int, tuple[float, float, float, float]], min_share: float
) -> dict[int, set[str]]:
    """Find the categories of objects that a cropped picture still shows.

    Parameters
    ----------
    paths : iterable of Path
        ``instances_*.json``.
    crops : dict of int to (float, float, float, float)
        By picture: shares of its height and width that are cut off at the top, bottom, left and
        right.
    min_share : float
        An object counts if at least this share of its bounding box remains.

    Returns
    -------
    categories : dict of int to set of str
        By picture of `crops`; empty for one without objects.

    Raises
    ------
    InputError
        If pictures of `crops` are in none of the files.
    CorruptDataError
        If a file is damaged or holds something else.
    """
    found: dict[int, set[str]] = {}
    for path in paths:
        content = _read(path, ("images", "annotations", "categories"))
        try:
            sizes = {one["id"]: (one["width"], one["height"]) for one in content["images"]}
            names = {one["id"]: str(one["name"]) for one in content["categories"]}
            found |= {picture: set() for picture in sizes if picture in crops}
            for one in content["annotations"]:
                picture = one["image_id"]
                if picture in crops and picture in sizes:
                    share = measure_visible_share(one["bbox"], sizes[picture], crops[picture])
                    if share >= min_share:
                        found[picture].add(names[one["category_id"]])
        except (KeyError, TypeError, ValueError) as error:
            raise _no_annotations(path, f"an entry without {error}") from error
    _check_complete(found, crops, "annotations")
    return found


def read_captions(paths: Iterable[Path], pictures: Iterable[int]) -> dict[int, str]:
    """Read the captions of pictures, those of one picture joined by spaces.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`read_visible_categories`.
    """
    wanted = set(pictures)
    found: dict[int, list[str]] = defaultdict(list)
    for path in paths:
        try:
            for one in _read(path, ("annotations",))["annotations"]:
                if one["image_id"] in wanted:
                    found[one["image_id"]].append(" ".join(str(one["caption"]).split()))
        except (KeyError, TypeError) as error:
            raise _no_annotations(path, f"an entry without {error}") from error
    _check_complete(found, wanted, "captions")
    return {picture: " ".join(captions) for picture, captions in found.items()}


def measure_visible_share(
    box: tuple[float, float, float, float],
    size: tuple[float, float],
    crop: tuple[float, float, float, float],
) -> float:
    """Measure which share of a bounding box remains in a cropped picture.

    Parameters
    ----------
    box : (float, float, float, float)
        Left, top, width and height in pixels.
    size : (float, float)
        Width and height of the picture in pixels.
    crop : (float, float, float, float)
        Shares cut off at the top, bottom, left and right.

    Returns
    -------
    share : float
        0 for a box without area.
    """
    left, top, width, height = box
    cut_top, cut_bottom, cut_left, cut_right = crop
    across = min(left + width, (1 - cut_right) * size[0]) - max(left, cut_left * size[0])
    down = min(top + height, (1 - cut_bottom) * size[1]) - max(top, cut_top * size[1])
    area = width * height
    return max(across, 0) * max(down, 0) / area if area > 0 else 0.0


def _read(path: Path, parts: tuple[str, ...]) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            "no such annotations of COCO",
            where=path,
            remedy="Get annotations_trainval2017.zip from https://cocodataset.org/#download, under "
            "its terms.",
        )
    try:
        with path.open(encoding="utf-8") as file:
            # Outlines are nine tenths of the file and of no use here.
            content = json.load(file, object_hook=_drop_outlines)
    except (ValueError, UnicodeDecodeError) as error:
        raise _no_annotations(path, str(error)) from error
    if not isinstance(content, dict) or any(name not in content for name in parts):
        raise _no_annotations(path, "another structure")
    return content


def _drop_outlines(entry: dict[str, Any]) -> dict[str, Any]:
    entry.pop("segmentation", None)
    return entry


def _no_annotations(path: Path, found: str) -> CorruptDataError:
    return CorruptDataError(
        "cannot be read as annotations of COCO", where=path, found=found, remedy="Copy it again."
    )


def _check_complete(found: Iterable[int], wanted: Iterable[int], what: str) -> None:
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise InputError(
            f"{len(missing)} pictures have no {what}",
            where=what,
            found=", ".join(map(str, missing[:5])),
            remedy=f"Name the files of train2017 and of val2017 as {what}.",
        )
