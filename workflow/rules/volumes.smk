# Functional volumes: their files listed once, and preprocessed where the configuration says so.


rule list_files:
    """List the files of a BIDS data set, so that no other job walks its folders."""
    input:
        unpack(get_recording_input),
    output:
        listing=directory(f"{RESULTS}/listings/{{dataset}}"),
    log:
        f"{RESULTS}/logs/list_files/{{dataset}}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        inputs=get_recording_flag,
        options=get_listing_options,
        code=get_listing_code,
    shell:
        "brainalign list-files --dataset {wildcards.dataset:q} {params.inputs}"
        " --options {params.options:q} --output {output.listing:q} > {log:q} 2>&1"


rule preprocess:
    """Realign the volumes of one subject in Python, or run fMRIPrep's container on them."""
    input:
        unpack(get_volume_inputs),
    output:
        preprocessed=directory(f"{RESULTS}/preprocessed/{{dataset}}/{{subject}}"),
    log:
        f"{RESULTS}/logs/preprocess/{{dataset}}/{{subject}}.log",
    conda:
        "../../envs/base.yaml"
    threads: get_preprocessing_threads
    resources:
        mem_mb=get_preprocessing_memory,
        runtime=1440,
    params:
        inputs=get_volume_flags,
        options=get_preprocessing_options,
        code=get_preprocessing_code,
    shell:
        "brainalign preprocess --dataset {wildcards.dataset:q} --subject {wildcards.subject:q}"
        " {params.inputs} --options {params.options:q} --output {output.preprocessed:q}"
        " > {log:q} 2>&1"
