"""Align brains with vision models: from raw recordings to scores.

The six stages are the sub-packages :mod:`~brainalign.raw`, :mod:`~brainalign.stimuli`,
:mod:`~brainalign.responses`, :mod:`~brainalign.features`, :mod:`~brainalign.methods` and
:mod:`~brainalign.evaluation`; :mod:`~brainalign.stores` holds the contracts between them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "get_method", "load_method", "load_scores", "open_run"]

# What a notebook starts from; each name is imported when it is first used, so that
# `import brainalign` costs nothing.
_LAZY = {
    "get_method": "brainalign.methods.registry",
    "load_method": "brainalign.methods.saved",
    "load_scores": "brainalign.notebook.scores",
    "open_run": "brainalign.notebook.run",
}

if TYPE_CHECKING:
    from brainalign.methods.registry import get_method
    from brainalign.methods.saved import load_method
    from brainalign.notebook.run import open_run
    from brainalign.notebook.scores import load_scores


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'brainalign' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
