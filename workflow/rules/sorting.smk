# Sorting: from raw recordings or spike sorters' folders to curated units in NWB.
# These rules run in an environment of their own; without --sdm conda the first one builds it.


rule sorting_environment:
    """Install the packages of spike sorting from their pins."""
    output:
        marker=f"{SORTING_ENVIRONMENT}/environment.json",
    log:
        f"{RESULTS}/logs/sorting_environment.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        pins=str(SORTING_PINS),
    shell:
        "brainalign sorting-environment --pins {params.pins:q}"
        ' --output "$(dirname {output.marker:q})" > {log:q} 2>&1'


rule simulate_electrodes:
    """Record planted spikes with simulated electrodes."""
    input:
        **get_sorting_environment(),
        recording=f"{RESULTS}/raw/{{dataset}}",
    output:
        electrodes=directory(f"{RESULTS}/electrodes/{{dataset}}"),
    log:
        f"{RESULTS}/logs/simulate_electrodes/{{dataset}}.log",
    conda:
        "../../envs/sorting.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        program=get_sorting_program(),
        code=get_code("brainalign.sorting.electrodes_command"),
    shell:
        "{params.program} simulate-electrodes --recording {input.recording:q}"
        " --output {output.electrodes:q} > {log:q} 2>&1"


rule sort:
    """Sort recordings or read sorts, curate units, join sessions, write NWB."""
    input:
        unpack(get_sorting_inputs),
        **get_sorting_environment(),
    output:
        units=report(
            directory(f"{RESULTS}/sorted/{{dataset}}"),
            patterns=["{table,units}.csv"],
            caption="../report/units.rst",
            category="4. Sorted units",
            labels={"data set": "{dataset}"},
        ),
    log:
        f"{RESULTS}/logs/sort/{{dataset}}.log",
    conda:
        "../../envs/sorting.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        program=get_sorting_program(),
        inputs=get_sorting_flags,
        options=get_sorting_options,
        code=get_code("brainalign.sorting.command"),
    shell:
        "{params.program} sort --dataset {wildcards.dataset:q} {params.inputs}"
        " --options {params.options:q} --output {output.units:q} > {log:q} 2>&1"
