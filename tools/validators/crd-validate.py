"""Checks a resource against the schema of a custom resource definition: crd-validate CRD... <RESOURCE

The definition is the one that names the resource's group, version and kind. Kubernetes drops a field that its schema does not know
(structural schemas, "field pruning"); here it is an error, for nobody writes a field to have it dropped. Rules in CEL
(`x-kubernetes-validations`) are not looked at.
"""

import sys

import jsonschema
import yaml


def strict(schema):
    """The same schema, with unknown fields refused where Kubernetes drops them."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: strict(field) for name, field in value.items()}
        else:
            made[key] = value if key in ("default", "enum", "example", "required") else strict(value)
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("type", None)
        made["type"] = ["integer", "string"]
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    closed = isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields")
    if closed and schema.get("type") == "object" and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


def main():
    resource = yaml.safe_load(sys.stdin)
    group, _, version = resource["apiVersion"].partition("/")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            definition = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        spec = definition["spec"]
        if (spec["group"], spec["names"]["kind"]) != (group, resource["kind"]):
            continue
        for offered in spec["versions"]:
            if offered["name"] == version and offered["served"]:
                schema = strict(offered["schema"]["openAPIV3Schema"])
                # Its fields are the API server's own.
                schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
                errors = list(jsonschema.Draft4Validator(schema).iter_errors(resource))
                for error in errors:
                    print("/".join(map(str, error.absolute_path)) + ": " + error.message[:400], file=sys.stderr)
                sys.exit(1 if errors else 0)
    sys.exit(f"no definition of {resource['apiVersion']} {resource['kind']}")


main()
