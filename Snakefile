# brainalign: from raw recordings of vision to brain-model alignment scores.
#
#   snakemake --cores all                                  the default experiment
#   snakemake -n                                           what would run
#   snakemake results/responses/simulated_it/monkey-a.zarr one store and what it needs
#   snakemake --configfile workflow/datasets/<name>.yaml   a published data set
#
# Stages, in the order of the data: raw, stimuli, responses, features, models, scores, report.

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/raw.smk"
include: "workflow/rules/volumes.smk"
include: "workflow/rules/sorting.smk"
include: "workflow/rules/stimuli.smk"
include: "workflow/rules/responses.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        get_final_targets(),
