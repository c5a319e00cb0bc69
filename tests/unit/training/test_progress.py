from __future__ import annotations

import io

from brainalign.training.history import EpochRecord
from brainalign.training.progress import ProgressReport


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(epoch: int, skipped: int = 0) -> EpochRecord:
    return EpochRecord(epoch, 1.5, 0.25, 1e-3, skipped, 0.1)


def test_a_log_gets_a_few_plain_lines():
    stream = io.StringIO()
    report = ProgressReport("vna", stream)
    for epoch in range(1, 201):
        report(record(epoch), 200)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "vna: epoch 1/200, loss 1.5, validation 0.25"
    assert lines[-1].startswith("vna: epoch 200/200")
    assert len(lines) == 11
    assert "\r" not in stream.getvalue()


def test_skipped_steps_are_always_told():
    stream = io.StringIO()
    ProgressReport("vna", stream)(record(7, skipped=2), 200)
    assert "2 steps skipped" in stream.getvalue()


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    report = ProgressReport("vna", stream)
    for epoch in range(1, 4):
        report(record(epoch), 3)
    assert "3/3" in stream.getvalue()
    assert "\r" in stream.getvalue()
