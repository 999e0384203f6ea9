"""Validates CycloneDX JSON files by the schema of the version that each names.

cyclonedx-validate FILE...: prints every error, and ends with 1 if there is one.
"""

import json
import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main():
    failed = False
    for path in sys.argv[1:]:
        text = pathlib.Path(path).read_text()
        version = SchemaVersion.from_version(json.loads(text)["specVersion"])
        errors = JsonStrictValidator(version).validate_str(text, all_errors=True)
        for error in errors or []:
            failed = True
            print(f"{path}: {error.data.json_path}: {error.data.message}")
    return 1 if failed else 0


sys.exit(main())
