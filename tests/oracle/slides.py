# SPDX-License-Identifier: Apache-2.0
"""Small presentations for tests of media/: an OpenDocument one of two slides, and one that is 64 MiB of nested paragraphs when it is unpacked.

Arguments: the folder to write slides.odp to; with --bomb the file to write the other one to.
"""
import pathlib
import sys
import zipfile

KIND = "application/vnd.oasis.opendocument.presentation"
SPACES = " ".join(f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"' for short, long in
                  {"office": "office", "draw": "drawing", "text": "text", "svg": "svg-compatible"}.items())


def slide(number):
    box = f"<draw:text-box><text:p>Slide {number}</text:p></draw:text-box>"
    return f'<draw:page draw:name="p{number}"><draw:frame svg:x="2cm" svg:y="2cm" svg:width="20cm" svg:height="3cm">{box}</draw:frame></draw:page>'


def parts(slides, fill):
    yield f'<?xml version="1.0"?><office:document-content {SPACES} office:version="1.2"><office:body><office:presentation>'.encode()
    for number in range(1, slides + 1):
        yield slide(number).encode()
    for _ in range(fill):
        yield b"<text:p>" * 131072
    yield b"</office:presentation></office:body></office:document-content>"


def write(path, slides, fill=0):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        def put(name, pieces, method=zipfile.ZIP_DEFLATED):
            entry = zipfile.ZipInfo(name, (2026, 11, 22, 0, 0, 0))
            entry.compress_type = method
            with archive.open(entry, "w", force_zip64=fill > 0) as out:
                for piece in pieces:
                    out.write(piece)
        put("mimetype", [KIND.encode()], zipfile.ZIP_STORED)
        space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        entries = "".join(f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{kind}"/>' for name, kind in (("/", KIND), ("content.xml", "text/xml")))
        put("META-INF/manifest.xml", [f'<?xml version="1.0"?><manifest:manifest xmlns:manifest="{space}">{entries}</manifest:manifest>'.encode()])
        put("content.xml", parts(slides, fill))


if sys.argv[1] == "--bomb":
    write(sys.argv[2], 1, 64)
else:
    write(pathlib.Path(sys.argv[1]) / "slides.odp", 2)
