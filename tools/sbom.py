#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the bill of materials of built programs as SPDX 2.3 JSON: the programs with their SHA-256, every shared library that the
loader gives them, and what was compiled in from headers (tools/packages.txt, section build), each as its Debian package with its
version. Nothing is asked of the network.

usage: sbom.py --version VERSION --out FILE PROGRAM..."""

import argparse
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOOLS = {"g++", "cmake", "ninja-build", "pkg-config"}  # they make the programs and are not in them


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def libraries_of(program):
    """Where the loader finds each library of the program: the real files."""
    lines = run("ldd", str(program)).splitlines()
    missing = [line for line in lines if "not found" in line]
    if missing:
        sys.exit(f"{program}: {missing[0].strip()}")
    paths = re.findall(r"(/[^ ]+) \(0x", "\n".join(lines))
    return sorted({os.path.realpath(path) for path in paths})


def owners_of(paths):
    """{path: the Debian package that it belongs to}. A file may be known by a path without /usr."""
    names = {name: path for path in paths for name in (path, path.removeprefix("/usr"))}
    owners = {names[path]: package for package, path in re.findall(r"(?m)^([^ ,:]+)[^/\n]*: (/.*)$", run("dpkg-query", "-S", *names)) if path in names}
    for path in paths:
        if path not in owners:
            sys.exit(f"{path} belongs to no package")
    return owners


@functools.cache
def installed():
    """{package: (name, version, source, architecture)} of this machine's own architecture and of all."""
    text = run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}|${Package}|${Version}|${source:Package}|${Architecture}\n")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("ii")]
    own = run("dpkg", "--print-architecture").strip()
    return {row[1]: tuple(row[1:]) for row in rows if row[4] in (own, "all")}


def build_packages():
    section, names = "", []
    for line in (ROOT / "tools/packages.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line.split("]")[0].strip("[")
        elif line and section == "build" and line not in TOOLS:
            names.append(line)
    return names


def package_row(facts, purpose):
    name, version, source, architecture = facts
    return {
        "SPDXID": "SPDXRef-deb-" + re.sub(r"[^A-Za-z0-9.-]", "-", name),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "comment": purpose,
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={architecture}&upstream={source}",
        }],
    }


def program_row(path, version):
    return {
        "SPDXID": "SPDXRef-program-" + path.name,
        "name": path.name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(path.read_bytes()).hexdigest()}],
    }


def make(programs, version):
    rows, links = {}, []
    for program in programs:
        row = program_row(program, version)
        rows[row["SPDXID"]] = row
        links.append(("SPDXRef-DOCUMENT", "DESCRIBES", row["SPDXID"]))
        libraries = libraries_of(program)
        owners = owners_of(libraries)
        for library in libraries:
            facts = installed()[owners[library]]
            entry = package_row(facts, "a shared library of it is loaded")
            rows.setdefault(entry["SPDXID"], entry)
            links.append((row["SPDXID"], "DYNAMIC_LINK", entry["SPDXID"]))
    for name in build_packages():
        facts = installed().get(name)
        if facts is None:
            continue  # this build did without it
        entry = package_row(facts, "compiled against; headers of it may be in the programs")
        rows.setdefault(entry["SPDXID"], entry)
        links += [(entry["SPDXID"], "BUILD_DEPENDENCY_OF", "SPDXRef-program-" + program.name) for program in programs]
    digest = hashlib.sha256(json.dumps(sorted(rows)).encode() + b"".join(p.read_bytes() for p in programs)).hexdigest()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", datetime.datetime.now().timestamp()))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"handeye {version}",
        "documentNamespace": f"urn:handeye:sbom:{version}:{digest}",
        "creationInfo": {
            "created": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: tools/sbom.py"],
        },
        "packages": [rows[key] for key in sorted(rows)],
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in sorted(set(links))],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    options.out.write_text(json.dumps(make(options.programs, options.version), indent=1) + "\n")


if __name__ == "__main__":
    main()
