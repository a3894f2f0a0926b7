# SPDX-License-Identifier: Apache-2.0
"""The reference implementation (transformers, float32, greedy) and real windows on an X display of their own."""
import json
import os
import subprocess
import sys
import tempfile
import time

import mss
import torch
from PIL import Image
from transformers import AutoProcessor, Glm4vForConditionalGeneration

import tasks

HERE = os.path.dirname(os.path.abspath(__file__))


class Reference:
    def __init__(self, checkpoint):
        self.processor = AutoProcessor.from_pretrained(checkpoint)
        self.model = Glm4vForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32).eval()

    @torch.no_grad()
    def ask(self, image, task, steps):
        """-> answer, ids of the prompt, ids of the answer"""
        content = [{"type": "text", "text": tasks.prompt(task, steps)}, {"type": "image", "image": image}]
        x = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True,
                                               return_dict=True, return_tensors="pt")
        prompt = x["input_ids"][0].tolist()
        answer = self.model.generate(**x, max_new_tokens=96, do_sample=False)[0, len(prompt):].tolist()
        return self.processor.tokenizer.decode(answer, skip_special_tokens=False), prompt, answer


class Display:
    """An Xvfb of the pictures' size, and nothing else on it."""

    def __enter__(self):
        read, write = os.pipe()
        self.server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "%dx%dx24" % (tasks.WIDTH, tasks.HEIGHT)],
                                       pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as f:
            os.environ["DISPLAY"] = ":" + f.readline().strip()
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()


class Window:
    """form_app.py showing one task, and the hands on it."""

    def __init__(self, task, python):
        self.folder = tempfile.TemporaryDirectory()
        self.result = self.folder.name + "/result.json"
        with open(self.folder.name + "/task.json", "w") as f:
            json.dump(task, f)
        subprocess.run(["xdotool", "mousemove", str(tasks.WIDTH // 2), str(tasks.HEIGHT // 2)], check=True)
        self.app = subprocess.Popen([python, HERE + "/form_app.py", self.folder.name + "/task.json", self.result])

    def __enter__(self):
        end = time.time() + 20
        while not os.path.exists(self.result):
            if self.app.poll() is not None or time.time() > end:
                sys.exit("form_app.py does not start; --gtk-python must name a Python that has gi and GTK 3")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.app.terminate()
        self.app.wait()
        self.folder.cleanup()

    def frame(self):
        """The screen once it rests: the same twice, and something on it."""
        last = None
        for _ in range(20):
            time.sleep(0.3)
            with mss.mss() as capture:
                shot = capture.grab({"left": 0, "top": 0, "width": tasks.WIDTH, "height": tasks.HEIGHT})
            if shot.rgb == last and len(set(shot.rgb[::97])) > 1:
                break
            last = shot.rgb
        return Image.frombytes("RGB", shot.size, shot.rgb)

    def click(self, x, y):
        subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", "1"], check=True)

    def type(self, text):
        subprocess.run(["xdotool", "type", "--delay", "5", text], check=True)

    def state(self):
        with open(self.result) as f:
            return json.load(f)
