"""Validates SARIF files by the schema and by GitHub's rules of ingestion.

sarif-validate FILE...: prints every error, and ends with 1 if there is one. The
multitool by itself ends with 0 whatever it finds, and an invalid enum silences it.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

MULTITOOL = pathlib.Path(sys.argv[1])


def schema_errors(log):
    schema = json.loads((MULTITOOL.parent / "sarif-2.1.0.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for error in validator.iter_errors(log):
        yield f"schema: {error.json_path}: {error.message}"


def ingestion_errors(path):
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "output.sarif")
        command = [MULTITOOL, "validate", path, "--rule-kind", "Sarif;Ghas", "--output", output]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0 or not output.exists():
            yield f"sarif-multitool ended with {run.returncode}: {run.stdout}{run.stderr}"
            return
        for line in run.stdout.splitlines():
            if ": error " in line:
                yield line.split(": error ", 1)[1]


def main():
    failed = False
    for path in sys.argv[2:]:
        log = json.loads(pathlib.Path(path).read_text())
        for error in [*schema_errors(log), *ingestion_errors(path)]:
            failed = True
            print(f"{path}: {error}")
    return 1 if failed else 0


sys.exit(main())
