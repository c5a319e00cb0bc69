"""From raw volumes to realigned ones with a brain mask and confounds."""
