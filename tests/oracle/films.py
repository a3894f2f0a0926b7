# SPDX-License-Identifier: Apache-2.0
"""Small films and the frames that the reference's processor looks at in each: tests/golden/media.

Arguments: the folder to write. Needs transformers, av (PyAV) and Pillow. Each frame of a clock film shows its own number in 11 black
or white fields, so that a reader can be asked which frames it gave.
"""
import json
import pathlib
import struct
import sys
from fractions import Fraction

import av
import numpy as np
from PIL import Image
from transformers import Glm4vVideoProcessor
from transformers.video_utils import VideoMetadata

ROOT = pathlib.Path(__file__).resolve().parents[1]
BITS = 11


def clock(number, width=176, height=48):
    picture = np.full((height, width, 3), 90, np.uint8)
    field = width // BITS
    for bit in range(BITS):
        picture[:, bit * field:(bit + 1) * field] = 235 if number >> bit & 1 else 20
    return picture


def write(path, frames, rate, codec, pixels, **options):
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as film:
        stream = film.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        stream.options = options
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            for packet in stream.encode(frame):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)


def turn(source, target):
    """The same film with a matrix that says: turn it by 90 degrees clockwise."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd")
    matrix = at + 4 + 4 + 20 + 8 + 8  # version and flags; times, number, length; reserved; layer, group, volume
    data[matrix:matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    target.write_bytes(data)


def goldens(folder):
    pictures = sorted((ROOT / "golden/engine/glm4v-f32/videos" / folder).glob("*.png"))
    return [np.asarray(Image.open(picture).convert("RGB")) for picture in pictures]


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    h264 = {"crf": "20", "preset": "veryslow", "g": "250"}
    films = {
        "clock-30.mp4": (91, Fraction(30), "libx264", "yuv420p", h264),
        "clock-29.97.mkv": (200, Fraction(30000, 1001), "libx264", "yuv420p", {"crf": "20"}),
        "clock-25.webm": (75, Fraction(25), "libvpx-vp9", "yuv420p", {"crf": "30", "b": "0"}),
        "clock-1.avi": (11, Fraction(1), "mpeg4", "yuv420p", {"q": "3"}),
        "clock-12.ts": (50, Fraction(12), "mpeg2video", "yuv420p", {"q": "3", "strict": "-2"}),
        "clock-long.mp4": (930, Fraction(3), "libx264", "yuv420p", {"crf": "30", "preset": "veryslow", "g": "250"}),
        "clock.gif": (9, Fraction(10), "gif", "rgb8", {}),
    }
    rows = []
    for name, (count, rate, codec, pixels, options) in films.items():
        frames = [clock(i) for i in range(count)]
        write(out / name, frames, rate, codec, pixels, **options)
        metadata = VideoMetadata(total_num_frames=count, fps=float(rate), duration=count / float(rate))
        indices = [int(i) for i in Glm4vVideoProcessor().sample_frames(metadata)]
        rows.append({"film": name, "frames": count, "fps": float(rate), "indices": indices,
                     "seconds": [int(indices[i] / float(rate)) for i in range(0, len(indices), 2)]})
    turn(out / "clock-30.mp4", out / "turned.mp4")
    for folder, rate in (("v", 4), ("odd", 2)):
        write(out / f"golden-{folder}.mkv", goldens(folder), rate, "ffv1", "bgr0")
    still = Image.fromarray(clock(5))
    still.save(out / "still.gif")
    still.save(out / "still.tiff", compression="tiff_lzw")
    (out / "films.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


main(pathlib.Path(sys.argv[1]))
