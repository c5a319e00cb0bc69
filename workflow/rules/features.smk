# Features: what backbones see in the stimuli.


rule train_backbone:
    """Train a small backbone on the simulated world's training images."""
    input:
        world=rules.simulate_world.output.world,
    output:
        weights=directory(f"{RESULTS}/backbones/{{backbone}}"),
    log:
        f"{RESULTS}/logs/train_backbone/{{backbone}}.log",
    # All fits wait for it.
    priority: 20
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=get_gpus,
    params:
        scratch=f"{RESULTS}/scratch/train_backbone/{{backbone}}",
        options=get_training_options,
        code=get_code("brainalign.features.training_command"),
    shell:
        "brainalign train-backbone --backbone {wildcards.backbone:q} --world {input.world:q}"
        " --scratch {params.scratch:q} --options {params.options:q} --output {output.weights:q} > {log:q} 2>&1"


rule features_shard:
    """Extract the features of one share of the stimuli, for backbones with several shards."""
    input:
        unpack(get_extraction_inputs),
    output:
        part=temp(
            directory(
                f"{RESULTS}/features_parts/{{dataset}}/{{backbone}}/{{shard}}.zarr"
            )
        ),
    log:
        f"{RESULTS}/logs/features_shard/{{dataset}}/{{backbone}}/{{shard}}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=get_gpus,
    params:
        weights=get_weights_flag,
        options=get_features_options,
        code=get_code("brainalign.features.command"),
    shell:
        "brainalign features --dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q}"
        " --stimuli {input.stimuli:q} {params.weights} --shard {wildcards.shard}"
        " --options {params.options:q} --output {output.part:q} > {log:q} 2>&1"


rule features:
    """Extract the features of a data set's stimuli with one backbone, or join its shards."""
    input:
        unpack(get_feature_inputs),
    output:
        features=directory(f"{RESULTS}/features/{{dataset}}/{{backbone}}.zarr"),
    log:
        f"{RESULTS}/logs/features/{{dataset}}/{{backbone}}.log",
    # As in simulate_recording: before any fit.
    priority: 15
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=get_feature_gpus,
    params:
        sources=get_feature_flags,
        options=get_features_options,
        code=get_code("brainalign.features.command"),
    shell:
        "brainalign features --dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q}"
        " --stimuli {input.stimuli:q} {params.sources} --options {params.options:q}"
        " --output {output.features:q} > {log:q} 2>&1"
