"""Names that become parts of paths (a light module)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_name(name: str) -> str:
    """Refuse names that cannot be one part of a path on every file system.

    Raises
    ------
    ValueError
        If the name is empty, has other characters than letters, digits, ``_``, ``-`` and ``.``,
        or does not start with a letter or digit.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' becomes part of a path: use letters, digits, '_', '-' and '.', starting "
            f"with a letter or digit"
        )
    return name


Name = Annotated[str, AfterValidator(check_name)]
