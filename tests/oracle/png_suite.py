#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PNG pictures of every colour type, depth and interlacing, transparency, gamma and ancillary chunks, with the pixels that they stand for; and
the same damaged in the ways in which files break. Written chunk by chunk here; Pillow reads each whole one back as a second opinion.
Usage: png_suite.py FOLDER"""
import io
import json
import pathlib
import struct
import sys
import zlib

from PIL import Image

WIDTH, HEIGHT = 11, 7  # no multiple of a byte's pixels, every pass of Adam7 has something
SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = {"grey": (0, 1, (1, 2, 4, 8, 16)), "rgb": (2, 3, (8, 16)), "palette": (3, 1, (1, 2, 4, 8)), "greyalpha": (4, 2, (8, 16)), "rgba": (6, 4, (8, 16))}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, data, crc=None):
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body) if crc is None else crc)


def sample(x, y, channel, depth):
    return ((x * 37 + y * 59 + channel * 83 + x * y * 7) * 40503 & 0xFFFF) >> (16 - depth)


def filtered(rows, bpp):
    """Every filter in turn."""
    out, before = b"", None
    for y, row in enumerate(rows):
        kind = y % 5
        up = before or bytes(len(row))
        line = bytearray()
        for i, value in enumerate(row):
            left = row[i - bpp] if i >= bpp else 0
            corner = up[i - bpp] if i >= bpp else 0
            p = left + up[i] - corner
            paeth = min((abs(p - v), n, v) for n, v in enumerate((left, up[i], corner)))[2]
            line.append(value - (0, left, up[i], (left + up[i]) // 2, paeth)[kind] & 0xFF)
        out += bytes([kind]) + bytes(line)
        before = row
    return out


def packed(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    bits = "".join(format(s, f"0{depth}b") for s in samples)
    return bytes(int(bits[i:i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))


def build(kind, depth, interlaced, transparent=False, extra=()):
    colour, channels, _ = KINDS[kind]
    bpp = max(1, channels * depth // 8)
    pixel = lambda x, y: [sample(x, y, c, depth) for c in range(channels)]
    raw = b""
    for x0, y0, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        rows = [packed([s for x in range(x0, WIDTH, dx) for s in pixel(x, y)], depth) for y in range(y0, HEIGHT, dy)]
        raw += filtered([row for row in rows if row], bpp)
    palette = [(i * 91 & 255, i * 53 + 40 & 255, 255 - i * 29 & 255) for i in range(1 << min(depth, 8))]
    clear = pixel(3, 2)  # this colour is transparent
    trns = b""
    if transparent and kind == "palette":
        trns = bytes((i * 67) & 255 for i in range(len(palette) // 2 + 1))
    elif transparent:
        trns = b"".join(struct.pack(">H", s) for s in clear)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, int(interlaced)))]
    parts += [chunk(name, data) for name, data in extra]
    parts += [chunk(b"PLTE", bytes(v for p in palette for v in p))] if kind == "palette" else []
    parts += [chunk(b"tRNS", trns)] if trns else []
    data = zlib.compress(raw, 9)
    parts += [chunk(b"IDAT", data[i:i + 40]) for i in range(0, len(data), 40)] + [chunk(b"IEND", b"")]
    top = (1 << depth) - 1
    want = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            s, alpha = pixel(x, y), 1.0
            if kind == "palette":
                rgb = [v / 255 for v in palette[s[0]]]
                alpha = trns[s[0]] / 255 if s[0] < len(trns) else 1.0
            else:
                rgb = [v / top for v in (s[:3] if kind in ("rgb", "rgba") else s[:1] * 3)]
                alpha = s[-1] / top if kind in ("greyalpha", "rgba") else 0.0 if trns and s == clear else 1.0
            want += [round(255 * (v * alpha + 1 - alpha)) for v in rgb]
    return SIGNATURE + b"".join(parts), want


def second_opinion(name, png, want):
    seen = Image.open(io.BytesIO(png))
    if seen.mode.startswith("I"):
        return  # Pillow keeps 16 bits of grey; its own scaling is not asked
    if name.endswith("-transparent") and not name.startswith("palette") and "-8-" not in name:
        return  # Pillow compares the transparent colour with scaled samples, the specification with those of the file
    rgba = seen.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    got = Image.alpha_composite(white, rgba).convert("RGB").tobytes()
    worst = max(abs(a - b) for a, b in zip(got, want))
    assert worst <= 2, (name, worst)


def broken():
    grey, _ = build("grey", 8, False)
    small, _ = build("grey", 1, False)
    rgb, _ = build("rgb", 8, False)
    header = lambda png, **c: png[:16] + struct.pack(">II", WIDTH, HEIGHT) + bytes([c.get("depth", png[24]), c.get("colour", png[25])]) + png[26:]
    def repaired(png):  # the checksum of the changed header is right: the value itself must be refused
        return png[:29] + struct.pack(">I", zlib.crc32(png[12:29])) + png[33:]
    idat = grey.index(b"IDAT") - 4
    length = struct.unpack(">I", grey[idat:idat + 4])[0]
    return {
        "signature-bit-lost": bytes([small[0] & 0x7F]) + small[1:],
        "signature-cr-lost": small[:4] + small[5:],
        "signature-unix-line-ends": small.replace(b"\r\n", b"\n", 1),
        "signature-dos-line-ends": small[:6] + b"\r" + small[6:],
        "all-cr-added": grey[:8].replace(b"\n", b"\r\n") + grey[8:],
        "colour-type-1": repaired(header(grey, colour=1)), "colour-type-9": repaired(header(rgb, colour=9)),
        "depth-0": repaired(header(rgb, depth=0)), "depth-3": repaired(header(rgb, depth=3)), "depth-99": repaired(header(rgb, depth=99)),
        "header-checksum": grey[:29] + bytes(4) + grey[33:],
        "data-checksum": grey[:idat + 8 + length] + bytes(4) + grey[idat + 12 + length:],
        "no-data": grey[:idat] + chunk(b"IEND", b""),
        "palette-missing": build("palette", 8, False)[0].replace(b"PLTE", b"xxxx"),
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = {}
    def add(name, png, want):
        second_opinion(name, png, want)
        cases[name] = {"png": png.hex(), "rgb": bytes(want).hex()}
    for kind, (_, _, depths) in KINDS.items():
        for depth in depths:
            for interlaced in (False, True):
                add(f"{kind}-{depth}{'-interlaced' if interlaced else ''}", *build(kind, depth, interlaced))
            if kind in ("grey", "rgb", "palette"):
                add(f"{kind}-{depth}-transparent", *build(kind, depth, False, transparent=True))
    gamma = [(b"gAMA", struct.pack(">I", 100000))]
    add("rgb-8-gamma", *build("rgb", 8, False, extra=gamma))
    add("grey-16-gamma", *build("grey", 16, False, extra=gamma))
    add("rgb-8-times-and-sizes", *build("rgb", 8, False, extra=[(b"tIME", b"\x07\xea\x01\x01\x00\x00\x00"), (b"pHYs", struct.pack(">IIB", 1, 4, 0)), (b"tEXt", b"Title\0x")]))
    out = {"width": WIDTH, "height": HEIGHT, "whole": cases, "broken": {name: png.hex() for name, png in broken().items()}}
    (folder / "cases.json").write_text(json.dumps(out, indent=0) + "\n")
    print(f"{len(cases)} whole, {len(out['broken'])} broken")


main()
