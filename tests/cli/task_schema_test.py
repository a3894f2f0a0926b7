# SPDX-License-Identifier: Apache-2.0
"""The schema of task files, as `handeye task schema` prints it, in the hands of a validator that is not ours (python-jsonschema): every
task file of the examples is valid, and each of them is not once a key is misspelt, wherever in the file.

Arguments: handeye and the folder of the examples. Skipped (77) without python3-jsonschema or python3-yaml.
"""
import copy
import json
import pathlib
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

FREE_KEYS = {"vars", "set"}  # maps of names that people choose


class Yaml12(yaml.SafeLoader):
    """Where `on` and `yes` are words, as in YAML 1.2."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:bool"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def misspelt(tree, path=()):
    """Copies of the tree, each with one key misspelt, and where."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if path[-1:] and path[-1] in FREE_KEYS:
                pass
            else:
                broken = {("x" + name if name == key else name): copy.deepcopy(one) for name, one in tree.items()}
                yield path + (key,), broken
            for where, below in misspelt(value, path + (key,)):
                yield where, {**tree, key: below}
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            for where, below in misspelt(value, path + (i,)):
                yield where, [*tree[:i], below, *tree[i + 1:]]


def main(program, examples):
    schema = json.loads(subprocess.run([program, "task", "schema"], check=True, capture_output=True, text=True).stdout)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema)
    files = sorted(pathlib.Path(examples).rglob("*.yaml"))
    assert len(files) >= 3, files
    tried = 0
    for file in files:
        with file.open(encoding="utf-8") as text:
            tree = yaml.load(text, Loader=Yaml12)
        problems = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(tree)]
        assert not problems, (file, problems)
        for where, broken in misspelt(tree):
            tried += 1
            assert not validator.is_valid(broken), (file, where)
    print(f"{len(files)} files are valid, {tried} misspelt ones are not")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
