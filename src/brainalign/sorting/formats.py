"""Formats of sorts and raw recordings (a light module: SpikeInterface is not here)."""

from __future__ import annotations

# One name per line would be a page of its own.
# fmt: off
EXTRACTORS = (
    "alf_sorting", "alphaomega", "axon", "axona", "binary", "biocam", "blackrock",
    "blackrock_sorting", "cbin_ibl", "ced", "cellexplorer", "combinato", "edf", "hdsort",
    "herdingspikes", "ibl_recording", "ibl_sorting", "intan", "kilosort", "klusta", "maxwell",
    "mclust", "mcsh5", "mcsraw", "mda_recording", "mda_sorting", "neuralynx",
    "neuralynx_sorting", "neuroexplorer", "neuroexplorer_sorting", "neuronexus", "neuroscope",
    "neuroscope_recording", "neuroscope_sorting", "nix", "npz_sorting", "nwb", "nwb_recording",
    "nwb_sorting", "nwb_timeseries", "openephys", "phy", "plexon", "plexon2", "plexon2_sorting",
    "plexon_sorting", "shybrid_recording", "shybrid_sorting", "sinaps_research_platform",
    "sinaps_research_platform_h5", "spike2", "spikegadgets", "spikeglx",
    "spykingcircus", "tdt", "tridesclous", "waveclus", "whitematter", "xclust", "yass", "zarr",
    "zarr_array",
)
# fmt: on
"""Names of SpikeInterface's ``read_<name>`` in the version of envs/sorting.txt that give one sort
or one recording. Readers of events, of snippets and of several objects are left out."""

TIME_FILES = "spike_times"
"""A folder of files of times, one per unit, which needs no extractor."""

FORMATS = (TIME_FILES, *EXTRACTORS)
