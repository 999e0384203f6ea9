"""Checks a resource against the schema of its kind: crd-validate DEFINITIONS... <RESOURCE

A definition is a custom resource definition (YAML), or the API server's own description of all that it has (JSON, OpenAPI 2). The
one that counts names the resource's group, version and kind. Kubernetes drops a field that its schema does not know
(structural schemas, "field pruning"); here it is an error, for nobody writes a field to have it dropped. Rules in CEL
(`x-kubernetes-validations`) are not looked at.
"""

import json
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
    if made.pop("x-kubernetes-int-or-string", False) or made.get("format") == "int-or-string":
        made.pop("type", None)
        made["type"] = ["integer", "string"]
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    closed = isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields")
    if closed and schema.get("type") == "object" and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


def built_in(description, resource):
    """The schema of a kind that the API server knows by itself; none where it does not."""
    group, _, version = resource["apiVersion"].rpartition("/")
    wanted = {"group": group, "version": version, "kind": resource["kind"]}
    for name, schema in description["definitions"].items():
        if wanted in schema.get("x-kubernetes-group-version-kind", []):
            return {"$ref": "#/definitions/" + name, "definitions": {name: strict(one) for name, one in description["definitions"].items()}}
    return None


def check(resource, schema):
    errors = list(jsonschema.Draft4Validator(schema).iter_errors(resource))
    for error in errors:
        print("/".join(map(str, error.absolute_path)) + ": " + error.message[:400], file=sys.stderr)
    sys.exit(1 if errors else 0)


def main():
    resource = yaml.safe_load(sys.stdin)
    group, _, version = resource["apiVersion"].partition("/")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            if path.endswith(".json"):
                schema = built_in(json.load(file), resource)
                if schema:
                    check(resource, schema)
                continue
            text = file.read()
            # Most are of other kinds, and are long.
            if "kind: " + resource["kind"] not in text:
                continue
            definition = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        spec = definition["spec"]
        if (spec["group"], spec["names"]["kind"]) != (group, resource["kind"]):
            continue
        for offered in spec["versions"]:
            if offered["name"] == version and offered["served"]:
                schema = strict(offered["schema"]["openAPIV3Schema"])
                # Its fields are the API server's own.
                schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
                check(resource, schema)
    sys.exit(f"no definition of {resource['apiVersion']} {resource['kind']}")


main()
