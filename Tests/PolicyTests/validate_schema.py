"""Holds the JSON Schema of the policy files against documents.

Usage: validate_schema.py SCHEMA FILE...

Each file says in a comment line `# schema: refuses` or `# schema: accepts` what the schema has to
make of it; without such a line it has to accept. Prints one line for each file that it takes
otherwise, and fails if there is any.
"""

import json
import sys

import jsonschema
import yaml


def verdict(validator, path):
    """What the schema makes of a file: 'accepts', or 'refuses' with the reason."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            # Readers leave empty documents out.
            documents = [d for d in yaml.safe_load_all(file) if d is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        return "refuses", f"not YAML: {error}"
    for document in documents:
        if not has_text_keys(document):
            return "refuses", "a key isn't text"
        error = jsonschema.exceptions.best_match(validator.iter_errors(document))
        if error is not None:
            return "refuses", f"{error.json_path}: {error.message[:120]}"
    return "accepts", ""


def has_text_keys(value):
    """Whether every key is text; JSON knows no others."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and has_text_keys(item) for key, item in value.items())
    return all(map(has_text_keys, value)) if isinstance(value, list) else True


def expected(path):
    with open(path, "rb") as file:
        for line in file.read().split(b"\n")[:2]:
            if line.startswith(b"# schema: "):
                return line.removeprefix(b"# schema: ").decode()
    return "accepts"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = 0
    for path in sys.argv[2:]:
        found, reason = verdict(validator, path)
        if found != expected(path):
            wrong += 1
            print(f"{path}: the schema {found} it, expected: {expected(path)} ({reason})")
    print(f"{len(sys.argv) - 2} files")
    sys.exit(1 if wrong else 0)


main()
