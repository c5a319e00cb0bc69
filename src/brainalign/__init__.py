"""Align brains with vision models: from raw recordings to scores.

The six stages are the sub-packages :mod:`~brainalign.raw`, :mod:`~brainalign.stimuli`,
:mod:`~brainalign.responses`, :mod:`~brainalign.features`, :mod:`~brainalign.methods` and
:mod:`~brainalign.evaluation`; :mod:`~brainalign.stores` holds the contracts between them.
"""

__version__ = "0.1.0"
