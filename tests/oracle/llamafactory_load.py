# SPDX-License-Identifier: Apache-2.0
"""Loads `handeye export --to llamafactory` and `--to preference` with LLaMA-Factory's own loader, converter and chat template.

Run once, not in ./check: python tests/oracle/llamafactory_load.py BIN OUT.json [MODEL], in a Python with `pip install llamafactory` (torch
comes with it; no GPU is used). BIN is the folder of the built programs, MODEL a folder with tokenizer and processor of the GLM-4.1V
family: models/nano unless named. What it prints is tests/golden/llamafactory/loaded.json.
"""
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", CUDA_VISIBLE_DEVICES="", DISABLE_VERSION_CHECK="1")

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402
from llamafactory.model import load_tokenizer  # noqa: E402

BOX = ("<|begin_of_box|>", "<|end_of_box|>")
# What is loaded: its name, the prompt that was recorded, the arguments of record_session and of export, the template.
CASES = (
    ("4.1v", "glm-4.1v", (), ("--to", "llamafactory"), "glm4v", "sft"),
    ("4.5v", "glm-4.5v", (), ("--to", "llamafactory"), "glm4_5v", "sft"),
    ("4.1v dialogue", "glm-4.1v", (), ("--to", "llamafactory", "--dialogue"), "glm4v", "sft"),
    ("4.1v as 4.5v", "glm-4.1v", (), ("--to", "llamafactory", "--form", "4.5v"), "glm4_5v", "sft"),
    ("4.1v pairs", "glm-4.1v", ("refused",), ("--to", "preference"), "glm4v", "rm"),
)


def export(programs, folder, prompt, how, arguments):
    """A set of five steps, and what the command says of it."""
    recording = folder / "a.handeye"
    subprocess.run([programs / "record_session", recording, "5", prompt, *how], check=True)
    done = subprocess.run([programs / "handeye", "export", recording, *arguments, "-o", folder / "set", "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def load(folder, told, template_name, stage, model):
    """The set as the trainer would get it, with the tokenizer."""
    arguments = get_train_args({
        "model_name_or_path": str(model), "stage": stage, "do_train": True, "finetuning_type": "lora", "template": template_name, "dataset_dir": str(folder / "set"),
        "dataset": told["path"].rsplit("/", 1)[1].removesuffix(".json"), "cutoff_len": 262144, "image_max_pixels": told["image_max_pixels"], "output_dir": str(folder / "out"),
        "overwrite_cache": True, "preprocessing_num_workers": 1, "report_to": "none", "use_cpu": True, "enable_thinking": None,
    })
    model_args, data_args, training_args, _, _ = arguments
    module = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(module["tokenizer"], data_args)
    return get_dataset(template, model_args, data_args, training_args, stage=stage, **module)["train_dataset"], module["tokenizer"]


def words(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=False)


def answers_learned(tokenizer, ids, labels):
    """Each run of tokens whose labels count."""
    runs, run = [], []
    for token, label in zip(ids, labels):
        if label == -100:
            runs += [run] if run else []
            run = []
        else:
            run.append(token)
    return [words(tokenizer, run) for run in [*runs, run] if run]


def facts_of(row, tokenizer, stage):
    """What survived of a record."""
    ids = row["input_ids"] if stage == "sft" else row["chosen_input_ids"]
    labels = row["labels"] if stage == "sft" else row["chosen_labels"]
    text = words(tokenizer, ids)
    learned = answers_learned(tokenizer, ids, labels)
    pictures = re.findall(r"<\|begin_of_image\|>((?:<\|image\|>)+)<\|end_of_image\|>", text)
    facts = {"pictures": len(row["images"]), "places": len(pictures), "tokens_of_pictures": [part.count("<|image|>") for part in pictures], "users": text.count("<|user|>"),
             "answers": len(learned), "boxes": [sum(one.count(mark) for one in learned) for mark in BOX], "last": learned[-1]}
    if stage == "rm":
        facts["rejected"] = answers_learned(tokenizer, row["rejected_input_ids"], row["rejected_labels"])[-1]
    return facts


def main():
    programs, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    model = pathlib.Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else ROOT / "models" / "nano"
    versions = {name: importlib.metadata.version(name) for name in ("llamafactory", "transformers", "datasets", "torch")}
    cases = {}
    for name, prompt, how, arguments, template, stage in CASES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            told = export(programs, folder, prompt, how, arguments)
            records = json.loads(pathlib.Path(told["path"]).read_text())
            dataset, tokenizer = load(folder, told, template, stage, model)
            rows = [facts_of(row, tokenizer, stage) for row in dataset]
            for row, record in zip(rows, records):
                row["answer_is_whole"] = re.sub(r"(<\|[a-z]+\|>)+$", "", row.pop("last")).strip() == last_answer(record)
            cases[name] = {"template": template, "records": len(records), "loaded": len(rows), "rows": rows}
    rows_in_lines = re.compile(r"\{\s+\"pictures\".*?\n    \}", re.DOTALL)
    text = rows_in_lines.sub(lambda row: re.sub(r"\s+", " ", row[0]), json.dumps({"versions": versions, "model": model.name, "cases": cases}, indent=1, ensure_ascii=False)) + "\n"
    out.write_text(text)
    print(text)


def last_answer(record):
    return (record["chosen"] if "chosen" in record else record["messages"][-1])["content"].strip()


if __name__ == "__main__":
    main()
