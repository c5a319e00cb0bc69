# Stimuli: decoded once, checked, and divided into splits that all methods share.


rule stimuli:
    """Decode and split the stimuli of a data set."""
    input:
        unpack(get_simulated_inputs),
    output:
        stimuli=directory(f"{RESULTS}/stimuli/{{dataset}}.zarr"),
    log:
        f"{RESULTS}/logs/stimuli/{{dataset}}.log",
    # As in simulate_recording: before any fit.
    priority: 15
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        inputs=get_simulated_flags,
        options=get_stimuli_options,
        code=get_stimuli_code,
    shell:
        "brainalign stimuli --dataset {wildcards.dataset:q} {params.inputs}"
        " --options {params.options:q} --output {output.stimuli:q} > {log:q} 2>&1"
