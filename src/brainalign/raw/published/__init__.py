"""Published data sets of responses per voxel that others have prepared."""
