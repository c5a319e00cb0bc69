# Raw data of the simulated world, in the formats that laboratories use.


rule simulate_world:
    """Render the stimuli of the simulated world: objects, scenes, movies, and their truth."""
    output:
        world=directory(f"{RESULTS}/raw/world"),
    log:
        f"{RESULTS}/logs/simulate_world.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        options=get_world_options,
        code=get_code("brainalign.raw.world_command"),
    shell:
        "brainalign simulate-world --options {params.options:q} --output {output.world:q}"
        " > {log:q} 2>&1"


rule simulate_recording:
    """Simulate a recording of the world's stimuli in raw files."""
    input:
        world=rules.simulate_world.output.world,
    output:
        recording=directory(f"{RESULTS}/raw/{{dataset}}"),
    log:
        f"{RESULTS}/logs/simulate/{{dataset}}.log",
    # What fits need comes first: the longest of them must not start last and end alone.
    priority: 15
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        options=get_recording_options,
        code=get_simulator_code,
    shell:
        "brainalign simulate --dataset {wildcards.dataset:q} --world {input.world:q}"
        " --options {params.options:q} --output {output.recording:q} > {log:q} 2>&1"
