# SPDX-License-Identifier: Apache-2.0
# Writes tests/golden/preprocess/: what the reference's processors make of 50 synthetic pictures and 60 video lengths.
# The pictures come from picture() below, which tests/engine/preprocess_test.cpp repeats in C++.
# Run: python tests/oracle/preprocess.py (needs torch, torchvision, transformers, numpy, pillow)
import hashlib
import json
import pathlib
import random

import numpy as np
import torch
from PIL import Image
from transformers import Glm4vImageProcessor, Glm4vVideoProcessor
from transformers.image_utils import SizeDict
from transformers.video_utils import VideoMetadata

HUB_MIN, HUB_MAX = 12544, 9633792


def picture(width, height, seed):
    """Noise, hard edges, ramps and flat areas; all in 32-bit unsigned integers."""
    y, x, c = np.meshgrid(np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32), np.arange(3, dtype=np.uint32),
                          indexing="ij")
    h = x * np.uint32(73856093) ^ y * np.uint32(19349663) ^ c * np.uint32(83492791) ^ np.uint32(seed)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(2246822519)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(3266489917)
    value = h >> np.uint32(24)
    ramp = (x * np.uint32(2) + y * np.uint32(3) + c * np.uint32(40)) & np.uint32(255)
    value = np.where((x // 32 + y // 32) % 2 == 1, ramp, value)
    value = np.where((x // 7 + y // 5) % 3 == 0, 255, value)
    value = np.where((x * 3 + y * 5) % 31 < 4, 0, value)
    return value.astype(np.uint8)


def sizes():
    fixed = [(42, 42), (70, 70), (98, 98), (42, 70), (126, 154), (182, 42), (56, 84), (112, 112), (1, 1), (5, 7), (13, 40), (27, 27),
             (28, 28), (29, 27), (28, 5600), (2800, 14), (336, 336), (100, 100), (1280, 720), (1920, 1080), (2560, 1440), (640, 480),
             (112, 131), (131, 112), (400, 800), (801, 399), (700, 42), (14, 350)]
    rng = random.Random(20261121)
    while len(fixed) < 38:
        fixed.append((rng.randint(1, 900), rng.randint(1, 900)))
    cases = [(w, h, HUB_MIN, HUB_MAX) for w, h in fixed]
    # Strong reduction and enlargement: small and large limits.
    cases += [(w, h, HUB_MIN, 400000) for w, h in [(1920, 1080), (900, 1600), (999, 777), (640, 480), (1000, 100)]]
    cases += [(w, h, 500000, HUB_MAX) for w, h in [(30, 30), (64, 200), (333, 77), (10, 9), (150, 300), (28, 56)]]
    while sum(map(legal, cases)) < 50:
        cases.append((rng.randint(20, 700), rng.randint(20, 700), HUB_MIN, rng.randint(50000, 800000)))
    return [case for case in cases if legal(case)][:50]


def legal(case):
    width, height = case[:2]
    if width < 28 or height < 28:
        scale = max(28 / height, 28 / width)
        width, height = int(width * scale), int(height * scale)
    return max(width, height) / min(width, height) <= 200


def frame_choices():
    """The reference's frame indices for many videos; a list is stored as the hash of its numbers, joined by commas."""
    processor = Glm4vVideoProcessor()
    rng = random.Random(20261122)
    videos = [(91, 30.0, 3.033), (75, 25.0, None), (1, 30.0, None), (2, 0.5, None), (9000, 30.0, 300.0), (9001, 30.0, 300.03),
              (600, 1.0, 600.0), (500, 1.0, 500.0), (601, 1.0, 601.0), (3, 24.0, 0.1), (7, 2.0, 3.5), (10, 4.0, 2.5)]
    while len(videos) < 60:
        count, rate = rng.randint(1, 20000), rng.choice([0.25, 1.0, 2.0, 3.7, 12.5, 23.976, 24.0, 29.97, 30.0, 60.0])
        videos.append((count, rate, rng.choice([None, count / rate])))
    out = []
    for count, rate, seconds in videos:
        metadata = VideoMetadata(total_num_frames=count, fps=rate, duration=seconds)
        indices = [int(i) for i in processor.sample_frames(metadata)]
        stamps = [int(i / rate) for i in indices[::2]]
        out.append({"count": count, "fps": rate, "seconds": seconds, "chosen": len(indices),
                    "indices_sha256": hashlib.sha256(",".join(map(str, indices)).encode()).hexdigest(),
                    "timestamps_sha256": hashlib.sha256(",".join(map(str, stamps)).encode()).hexdigest()})
    return out


def write_lines(name, rows):
    path = pathlib.Path(__file__).parent.parent / "golden" / "preprocess" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    print(len(rows), name)


def main():
    out = []
    for index, (width, height, low, high) in enumerate(sizes()):
        seed = 1000 + index
        pixels = picture(width, height, seed)
        processor = Glm4vImageProcessor(size={"shortest_edge": low, "longest_edge": high})
        result = processor(images=[Image.fromarray(pixels)], return_tensors="pt")
        rows = result["pixel_values"].numpy().astype("<f4")
        resized = processor.resize(torch.from_numpy(pixels).permute(2, 0, 1)[None],
                                   SizeDict(shortest_edge=low, longest_edge=high), processor.resample, factor=28,
                                   temporal_factor=2)[0].permute(1, 2, 0).contiguous().numpy()
        assert resized.dtype == np.uint8
        at = [(i * 7919 + 13) % rows.size for i in range(6)]
        out.append({"width": width, "height": height, "seed": seed, "min": low, "max": high,
                    "grid": result["image_grid_thw"][0].tolist(),
                    "resized_sha256": hashlib.sha256(resized.tobytes()).hexdigest(),
                    "rows_sha256": hashlib.sha256(rows.tobytes()).hexdigest(),
                    "samples": [[i, float(rows.reshape(-1)[i])] for i in at]})
    write_lines("pictures.json", out)
    write_lines("frames.json", frame_choices())


if __name__ == "__main__":
    main()
