"""Pages of single stores and folders."""
