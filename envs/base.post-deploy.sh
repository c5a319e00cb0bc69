#!/usr/bin/env bash
# Snakemake runs this inside the new environment, from the folder of the workflow.
set -euo pipefail
python -m pip install --no-deps --editable .
