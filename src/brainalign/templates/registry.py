"""The table of templates (a light module)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """One folder to start from.

    Parameters
    ----------
    dataset : str
        Kind of data set in its configuration.
    summary : str
        What a laboratory has that starts from it, in one clause.
    folders : tuple of str
        Empty folders that wait for files.
    """

    dataset: str
    summary: str
    folders: tuple[str, ...]


TEMPLATES: dict[str, Template] = {
    "fmri_bids": Template(
        "bids", "functional volumes in BIDS, and the pictures that were shown", ("bids",)
    ),
    "it_nwb": Template(
        "nwb", "sorted spikes in NWB, and the pictures that were shown", ("recordings", "stimuli")
    ),
    "spike_sorts": Template(
        "spike_sorts",
        "folders of Kilosort or Phy or raw samples, tables of events, and pictures",
        ("sorts", "events", "stimuli"),
    ),
    "retina_movie": Template(
        "nwb_movies",
        "spikes of a retina (or any area) and the movies that were shown",
        ("recordings", "movies"),
    ),
}
"""Name of a template → what it is; its files lie in the package of that name beside this file."""
