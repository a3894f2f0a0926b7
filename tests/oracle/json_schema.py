# SPDX-License-Identifier: Apache-2.0
# Writes tests/golden/grammar/schemas.json: schemas with documents, each called valid or not by jsonschema (draft 2020-12, formats checked).
# Run: python tests/oracle/json_schema.py            (needs jsonschema[format])
#  or: python tests/oracle/json_schema.py --check FILE   FILE: lines of {"schema":..,"text":..} that the test wrote with
#      HANDEYE_SCHEMA_SAMPLES=FILE; every text must be valid under its schema.
import json
import pathlib
import random
import sys

import jsonschema

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "grammar" / "schemas.json"
S = {"type": "string"}
I = {"type": "integer"}
SCHEMAS = [
    {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}, {},
    {"type": ["string", "null"]}, {"type": ["integer", "boolean"]},
    {"type": "string", "minLength": 2, "maxLength": 4}, {"type": "string", "maxLength": 0}, {"type": "string", "minLength": 3},
    {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"}, {"type": "string", "pattern": "ab+c"}, {"type": "string", "pattern": "^(yes|no)$|^maybe"},
    {"type": "string", "pattern": "^\\S+@\\S+$"},
    {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}, {"type": "string", "format": "ipv4"}, {"type": "string", "format": "uuid"},
    {"type": "string", "format": "time"}, {"type": "string", "format": "email"},
    {"enum": ["red", "green", 3, None, True, {"a": [1, "x"]}]}, {"const": "only"}, {"type": "string", "enum": ["a", 1, "b"]}, {"const": {"k": 1}},
    {"type": "integer", "minimum": 0, "maximum": 999}, {"type": "integer", "minimum": -15, "maximum": 1203}, {"type": "integer", "minimum": 17},
    {"type": "integer", "maximum": -3}, {"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 11}, {"type": "integer", "minimum": 95, "maximum": 105},
    {"type": "integer", "minimum": -7, "maximum": -7}, {"type": "integer", "minimum": 1.5, "maximum": 3.5}, {"type": "integer", "maximum": 250},
    {"type": "number", "minimum": 0, "maximum": 1}, {"type": "number", "exclusiveMinimum": 0}, {"type": "number", "minimum": -2, "maximum": 3},
    {"type": "number", "exclusiveMinimum": -10, "exclusiveMaximum": -8}, {"type": "number", "maximum": 100}, {"type": "number", "minimum": 5, "exclusiveMaximum": 12},
    {"type": "object", "properties": {"name": S, "age": I}, "required": ["name", "age"], "additionalProperties": False},
    {"type": "object", "properties": {"a": S, "b": I, "c": {"type": "boolean"}}, "required": ["b"], "additionalProperties": False},
    {"type": "object", "properties": {"a": I, "b": I, "c": I}, "additionalProperties": False},
    {"type": "object", "properties": {"a": I, "ab": I, "\u00e9\"x": I}, "required": ["ab"], "additionalProperties": {"type": "null"}},
    {"type": "object", "additionalProperties": I}, {"type": "object", "additionalProperties": I, "minProperties": 1, "maxProperties": 2}, {"type": "object"},
    {"type": "object", "properties": {"a": I}, "required": ["a", "z"], "additionalProperties": True},
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "array", "items": I}, {"type": "array", "items": S, "minItems": 2, "maxItems": 3}, {"type": "array", "maxItems": 0}, {"type": "array"},
    {"type": "array", "prefixItems": [I, S], "items": False, "minItems": 2}, {"type": "array", "prefixItems": [I, S], "items": {"type": "null"}},
    {"type": "array", "prefixItems": [I, S, I], "items": False, "minItems": 1}, {"type": "array", "prefixItems": [I, S], "minItems": 3, "maxItems": 4, "items": I},
    {"type": "array", "prefixItems": [I, S, I], "maxItems": 2},
    {"anyOf": [S, {"type": "object", "properties": {"x": I}, "required": ["x"], "additionalProperties": False}]},
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "v": I}, "required": ["kind", "v"], "additionalProperties": False},
               {"type": "object", "properties": {"kind": {"const": "b"}, "w": S}, "required": ["kind"], "additionalProperties": False}]},
    {"allOf": [{"type": "object", "properties": {"a": I}, "required": ["a"]}, {"properties": {"b": S}, "required": ["b"]}]},
    {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 8, "minimum": 1}]},
    {"type": "object", "properties": {"p": I}, "required": ["p"], "anyOf": [{"properties": {"q": S}, "required": ["q"]}, {"properties": {"r": S}, "required": ["r"]}]},
    {"$defs": {"tree": {"type": "object", "properties": {"v": I, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v", "kids"],
                        "additionalProperties": False}}, "$ref": "#/$defs/tree"},
    {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"], "additionalProperties": False},
    {"definitions": {"s": {"$ref": "#/definitions/t"}, "t": S}, "type": "array", "items": {"$ref": "#/definitions/s"}, "maxItems": 2},
    {"title": "t", "description": "d", "default": 1, "examples": [1], "type": "integer", "$comment": "c"},
    {"type": "object", "properties": {"steps": {"type": "array", "items": {"type": "object", "properties": {"explanation": S, "output": S},
                                                                        "required": ["explanation", "output"], "additionalProperties": False}},
                                      "final_answer": S}, "required": ["steps", "final_answer"], "additionalProperties": False},
]
BITS = ["", "a", "ab", "abc", "abbc", "xabcx", "AB-123", "yes", "maybe not", "only", "red", "b", "\u00e9\"x", "\n\t\\", "2024-02-29", "2023-02-28", "2023-13-01",
        "2023-06-30T23:59:59Z", "2023-06-30T24:00:00Z", "12:30:00+02:00", "1.2.3.4", "256.1.1.1", "a@b.cd", "123e4567-e89b-12d3-a456-426614174000", "\U0001F600\u4f60"]
NUMBERS = [0, 1, -1, 2, 3, 5, 7, -7, 8, 9, 10, 11, 12, 17, 16, 95, 100, 105, 106, 250, 251, 999, 1000, 1203, 1204, -15, -16, -3, -2, 0.5, 0.25, 1.5, -0.5, -8.5, -9, 11.999,
           3.0, 99.99, 123456789012]


def random_value(rng, depth):
    kind = rng.randrange(9 if depth > 0 else 6)
    if kind <= 1:
        return rng.choice(BITS)
    if kind <= 3:
        return rng.choice(NUMBERS)
    if kind == 4:
        return rng.choice([True, False])
    if kind == 5:
        return None
    if kind == 6:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(BITS[:6] + ["name", "age", "x", "kind", "v", "z"]): random_value(rng, depth - 1) for _ in range(rng.randrange(4))}


def near(schema, root, rng, depth=4):
    """A document that looks like the schema's, and is often valid; properties in the schema's order."""
    if isinstance(schema, bool) or not schema or depth < 0 or rng.random() < 0.06:
        return random_value(rng, 1)
    if "$ref" in schema:
        node = root
        for part in schema["$ref"][1:].split("/")[1:]:
            node = node[part]
        return near(node, root, rng, depth - 1)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            part = near(rng.choice(schema[key]), root, rng, depth)
            base = {k: v for k, v in schema.items() if k != key}
            mine = near(base, root, rng, depth) if base else None
            return {**mine, **part} if isinstance(part, dict) and isinstance(mine, dict) else part
    if "allOf" in schema:
        parts = [near(p, root, rng, depth) for p in schema["allOf"]]
        return {k: v for p in parts if isinstance(p, dict) for k, v in p.items()} if all(isinstance(p, dict) for p in parts) else rng.choice(parts)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "object" if "properties" in schema else "integer" if "minimum" in schema or "maximum" in schema else "string")
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        out = {}
        for name, part in schema.get("properties", {}).items():
            if rng.random() < (0.95 if name in schema.get("required", []) else 0.5):
                out[name] = near(part, root, rng, depth - 1)
        more = schema.get("additionalProperties", not schema.get("properties"))
        for name in rng.sample(["b1", "z", "abc", "q\"", "\u00e9", "extra"], rng.randrange(3)) if more or rng.random() < 0.1 else []:
            out.setdefault(name, near(more, root, rng, depth - 1))
        return out
    if kind == "array":
        first = [near(p, root, rng, depth - 1) for p in schema.get("prefixItems", [])]
        first = first[:rng.randrange(len(first) + 1)] if rng.random() < 0.4 else first
        items = schema.get("items", True)
        return first + [near(items, root, rng, depth - 1) for _ in range(rng.randrange(4) if items is not False or rng.random() < 0.1 else 0)]
    if kind == "string":
        return rng.choice(BITS)
    if kind in ("integer", "number"):
        return rng.choice(NUMBERS)
    return rng.choice([True, False]) if kind == "boolean" else None


def validator(schema):
    cls = jsonschema.Draft202012Validator
    cls.check_schema(schema)
    return cls(schema, format_checker=cls.FORMAT_CHECKER)


def write():
    cases = []
    for index, schema in enumerate(SCHEMAS):
        rng = random.Random(index)
        check = validator(schema)
        texts = {}
        for _ in range(150):
            value = near(schema, schema, rng) if rng.random() < 0.8 else random_value(rng, 2)
            text = json.dumps(value, ensure_ascii=False)
            texts[text] = check.is_valid(value)
        valid = [t for t, ok in texts.items() if ok][:30]
        cases.append({"schema": schema, "valid": valid, "invalid": [t for t, ok in texts.items() if not ok][:40]})
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
    print(len(cases), "schemas,", sum(len(c["valid"]) for c in cases), "valid,", sum(len(c["invalid"]) for c in cases), "invalid documents")


def check(path):
    seen = 0
    for line in pathlib.Path(path).read_text().rstrip("\n").split("\n"):
        sample = json.loads(line)
        value = json.loads(sample["text"])
        errors = [e.message for e in validator(sample["schema"]).iter_errors(value)]
        assert not errors, (sample, errors)
        seen += 1
    print(seen, "documents are valid")


if __name__ == "__main__":
    check(sys.argv[2]) if sys.argv[1:2] == ["--check"] else write()
