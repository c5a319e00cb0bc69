# Report: figures and one self-contained page.


rule report:
    """Draw the figures and write the page."""
    input:
        get_report_inputs,
    output:
        report=report(
            directory(f"{RESULTS}/report"),
            caption="../report/page.rst",
            htmlindex="index.html",
            category="1. Page",
            labels={"shows": "the whole run"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../envs/base.yaml"
    # Figures take most of the time, and nothing else is left to do then.
    threads: 2
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        results=get_results_folder,
        matrix=get_matrix,
        code=get_code("brainalign.report.command"),
        page=get_page_digest,
    shell:
        "brainalign report --results {params.results:q} --inputs {input:q}"
        " --matrix {params.matrix:q} --threads {threads} --output {output.report:q} > {log:q} 2>&1"
