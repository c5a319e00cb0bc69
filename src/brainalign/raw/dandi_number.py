"""What a number of the DANDI archive looks like (a light module)."""

from __future__ import annotations

import re


def check_number(text: str) -> str:
    """Refuse what is no number of a dandiset.

    Raises
    ------
    ValueError
        If it has other than six digits; YAML reads 000128 without quotes as another number.
    """
    if not re.fullmatch(r"\d{6}", text):
        raise ValueError(f"'{text}' is no dandiset: write its six digits in quotes, as '000128'")
    return text
