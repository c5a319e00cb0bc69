"""Leave cleanly when a scheduler asks for it: SIGTERM and SIGUSR1 become an error of one line.

A job that is pre-empted, times out or is cancelled gets one of these signals some time before it
is killed. Outside a training loop the signal ends the command at once, through the same clean-up
as any error, so that nothing half-written stays; a loop that can save its state asks for the
signal at its own pace.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from brainalign.errors import ResourceError

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)

Handler = Callable[[int, FrameType | None], Any]


class StopRequest:
    """Whether the process was asked to stop while a loop was under way.

    Attributes
    ----------
    signal_name : str or None
        Name of the first signal, such as ``SIGTERM``; None where there was none.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember the first signal; leave at once on the second.

        Raises
        ------
        ResourceError
            The process was asked before: whoever asks is in a hurry.
        """
        if self.signal_name is not None:
            leave_at_once(number, frame)
        self.signal_name = signal.Signals(number).name


def leave_at_once(number: int, frame: FrameType | None) -> None:
    """Handle a stop signal where nothing can be saved.

    Raises
    ------
    ResourceError
        Always; it unwinds the command, whose drafts are removed on the way.
    """
    raise ResourceError(
        f"stopped by {signal.Signals(number).name}; nothing was published",
        remedy="Run again to go on.",
    )


@contextlib.contextmanager
def leave_on_stop_signals() -> Iterator[None]:
    """Turn stop signals into an error while the block runs."""
    with _handle_stop_signals(leave_at_once):
        yield


@contextlib.contextmanager
def defer_stop_signals() -> Iterator[StopRequest]:
    """Collect stop signals while the block runs, for a loop that looks at them when it can save.

    Yields
    ------
    request : StopRequest
        To be looked at between two epochs.

    Notes
    -----
    Outside the main thread nothing is collected, since Python runs handlers there only.
    """
    request = StopRequest()
    with _handle_stop_signals(request.receive):
        yield request


@contextlib.contextmanager
def _handle_stop_signals(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            # None stands for a handler that was not set from Python and cannot be given back.
            signal.signal(number, signal.SIG_DFL if old is None else old)
