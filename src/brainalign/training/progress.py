"""Show the progress of a fit; imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

from brainalign.training.history import EpochRecord

Report = Callable[[EpochRecord, int], None]
"""Called after each epoch with its record and the number of epochs of the whole fit."""

LINES_PER_FIT = 10
"""Plain lines that one fit may write to a log."""


def divide_report(report: Report | None, name: str) -> Report | None:
    """Report of one of several fits that make up what a report was made for.

    Parameters
    ----------
    report : callable or None
        Report of the whole; one with a method ``divide`` is divided, others serve all parts.
    name : str
        Such as ``subject-monkey-a``.

    Returns
    -------
    report : callable or None
        To be called with the epochs of this part.
    """
    divide: Callable[[str], Report] | None = getattr(report, "divide", None)
    return report if divide is None else divide(name)


class ProgressReport:
    """Report epochs as a bar on a terminal and as a few plain lines elsewhere.

    Parameters
    ----------
    label : str
        What is fitted, such as ``vna sub-01``.
    stream : text stream, optional
        Where to write; standard error by default.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self.label = label
        self._stream = stream if stream is not None else sys.stderr
        self._bar: tqdm | None = None

    def __call__(self, record: EpochRecord, epochs: int) -> None:
        """Show one epoch.

        Parameters
        ----------
        record : EpochRecord
            The epoch that has ended.
        epochs : int
            Number of epochs of the whole fit.
        """
        summary = f"loss {record.loss:.4g}, validation {record.validation_score:.4g}"
        if record.skipped_steps:
            summary += f", {record.skipped_steps} steps skipped"
        if self._stream.isatty():
            self._draw_bar(record.epoch, epochs, summary)
        elif self._is_due(record.epoch, epochs) or record.skipped_steps:
            print(
                f"{self.label}: epoch {record.epoch}/{epochs}, {summary}",
                file=self._stream,
                flush=True,
            )

    def _is_due(self, epoch: int, epochs: int) -> bool:
        return epoch in (1, epochs) or epoch % max(1, epochs // LINES_PER_FIT) == 0

    def _draw_bar(self, epoch: int, epochs: int, summary: str) -> None:
        if self._bar is None or epoch <= self._bar.n:
            self.close()
            self._bar = tqdm(total=epochs, desc=self.label, unit="epoch", file=self._stream)
        self._bar.set_postfix_str(summary, refresh=False)
        self._bar.update(epoch - self._bar.n)
        if epoch == epochs:
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands; a fit that stops early needs this."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
