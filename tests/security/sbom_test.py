# SPDX-License-Identifier: Apache-2.0
"""The bill of materials names every library that a program is linked to, with the version that is installed.
usage: sbom_test.py VERSION PROGRAM..."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

if subprocess.run(["sh", "-c", "command -v dpkg-query && command -v readelf"], capture_output=True, check=False).returncode != 0:
    print("skipped: dpkg-query or readelf is not here")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
version, programs = sys.argv[1], sys.argv[2:]
with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder) / "sbom.json"
    subprocess.run([sys.executable, "-B", str(ROOT / "tools/sbom.py"), "--version", version, "--out", str(out), *programs], check=True)
    sbom = json.loads(out.read_text())

assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["dataLicense"] == "CC0-1.0"
ids = {row["SPDXID"]: row for row in sbom["packages"]}
assert len(ids) == len(sbom["packages"]), "an SPDXID is there twice"
assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in ids)
for link in sbom["relationships"]:
    for end in (link["spdxElementId"], link["relatedSpdxElement"]):
        assert end in ids or end == "SPDXRef-DOCUMENT", f"{end} is no package"
for program in map(pathlib.Path, programs):
    row = ids["SPDXRef-program-" + program.name]
    assert row["checksums"][0]["checksumValue"] == hashlib.sha256(program.read_bytes()).hexdigest()
    dynamic = subprocess.run(["readelf", "-d", str(program)], capture_output=True, text=True, check=True).stdout
    linked = {link["relatedSpdxElement"] for link in sbom["relationships"]
              if link["spdxElementId"] == row["SPDXID"] and link["relationshipType"] == "DYNAMIC_LINK"}
    libraries = re.findall(r"NEEDED.*\[(.+)\]", dynamic)
    owners = subprocess.run(["dpkg-query", "-S", *(f"*/{library}" for library in libraries)], capture_output=True, text=True, check=False).stdout
    for library in libraries:
        names = {"SPDXRef-deb-" + re.sub(r"[^A-Za-z0-9.-]", "-", line.split(":")[0]) for line in owners.splitlines() if line.endswith("/" + library)}
        assert names & linked, f"{program.name} needs {library}, and the list has none of {sorted(names)}"
known = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n"], capture_output=True, text=True, check=True).stdout.splitlines()
for row in sbom["packages"]:
    assert row["versionInfo"], row["name"]
    if row["SPDXID"].startswith("SPDXRef-deb-"):
        assert f"{row['name']} {row['versionInfo']}" in known, (row["name"], row["versionInfo"])
for name in ("nlohmann-json3-dev", "libboost1.81-dev", "libcli11-dev", "libhwy-dev"):  # in headers only: no loader knows of them
    assert "SPDXRef-deb-" + name in ids, f"{name} is compiled in and not listed"
print(f"{len(ids)} packages, {len(sbom['relationships'])} relations")
