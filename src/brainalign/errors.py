"""Errors that end the search: one line each, with the exit code of their class."""

from __future__ import annotations


class BrainalignError(Exception):
    """An error that a user can act on.

    Parameters
    ----------
    what : str
        What is wrong, in one clause.
    where : str, optional
        File, row, subject or option in which it is wrong.
    expected, found : object, optional
        What was needed and what was there instead.
    remedy : str, optional
        What to do next.

    Notes
    -----
    The message is always a single line: ``where: what; expected …, found …. remedy``.
    """

    exit_code = 5

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        self.expected, self.found = expected, found
        super().__init__(self._compose())

    def _compose(self) -> str:
        message = f"{self.where}: {self.what}" if self.where is not None else self.what
        contrast = []
        if self.expected is not None:
            contrast.append(f"expected {self.expected}")
        if self.found is not None:
            contrast.append(f"found {self.found}")
        if contrast:
            message += "; " + ", ".join(contrast)
        if self.remedy:
            message = message.rstrip(".") + ". " + self.remedy
        return " ".join(message.split())


class InputError(BrainalignError):
    """Wrong configuration, arguments or input that does not fit together (exit code 2)."""

    exit_code = 2


class CorruptDataError(BrainalignError):
    """A file or store whose content is damaged or impossible (exit code 3)."""

    exit_code = 3


class ResourceError(BrainalignError):
    """Memory, disk, device or permission that is missing (exit code 4)."""

    exit_code = 4


class InternalError(BrainalignError):
    """A broken promise inside brainalign itself (exit code 5)."""

    exit_code = 5
