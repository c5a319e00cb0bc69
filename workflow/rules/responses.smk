# Responses: one store per subject, with reliability and noise ceilings.


rule responses:
    """Turn the recording of one subject into responses."""
    input:
        unpack(get_response_inputs),
    output:
        responses=directory(f"{RESULTS}/responses/{{dataset}}/{{subject}}.zarr"),
    log:
        f"{RESULTS}/logs/responses/{{dataset}}/{{subject}}.log",
    # As in simulate_recording: before any fit.
    priority: 15
    conda:
        "../../envs/base.yaml"
    threads: get_response_threads
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        inputs=get_response_flags,
        options=get_responses_options,
        code=get_responses_code,
    shell:
        "brainalign responses --dataset {wildcards.dataset:q} --subject {wildcards.subject:q}"
        " {params.inputs} --options {params.options:q} --output {output.responses:q}"
        " > {log:q} 2>&1"
