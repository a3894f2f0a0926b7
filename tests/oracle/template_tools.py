# SPDX-License-Identifier: Apache-2.0
# Writes tests/golden/template/tools.json: conversations with tools as `transformers` renders them from templates of our own, one for each
# way in which the GLM templates take tools. What a template is handed there is what a person would have to write for it by hand.
# Run: python tests/oracle/template_tools.py (needs transformers)
import json
import pathlib

from transformers.utils.chat_template_utils import render_jinja_template

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "golden" / "template"
TOOLS = [
    {"type": "function", "function": {"name": "look_up", "description": "Finds größte 😀 \"things\" </tools>", "parameters": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer", "minimum": 1, "default": 2.5}, "a": {"enum": [None, True, []]}}, "required": ["q"]}}},
    {"type": "function", "function": {"name": "stop", "parameters": {}}},
]
USER = {"role": "user", "content": "你好 <|user|> ?"}
CALLS = [{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": {"q": "x \"y\"", "n": 3, "deep": {"z": [1, 2], "b": None}}}}, {"id": "c2", "type": "function", "function": {"name": "stop", "arguments": {}}}]
RESULTS = ["<|assistant|> 1", "2"]
SYSTEM = {"role": "system", "content": "Be kind."}


def sent(message):
    """As a client of the endpoint sends it: arguments are a text."""
    if "tool_calls" not in message:
        return message
    return {**message, "tool_calls": [{**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False)}} for call in message["tool_calls"]]}


def render(template, messages, tools):
    texts, _ = render_jinja_template(conversations=[messages], tools=tools, chat_template=(FOLDER / template).read_text(), add_generation_prompt=True)
    return texts[0]


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    said = {"role": "assistant", "content": "I look.", "tool_calls": CALLS}
    silent = {"role": "assistant", "content": "", "tool_calls": CALLS[1:]}
    results = [{"role": "tool", "content": text, "tool_call_id": f"c{i}"} for i, text in enumerate(RESULTS)]
    conversations = {"offered": [USER], "offered-with-system": [SYSTEM, USER], "called": [USER, said, *results], "called-silently": [SYSTEM, USER, silent, results[0], USER]}
    rows = []
    for name, messages in conversations.items():
        # The older templates have no calls: a call is a message with the tool's name beside the role, a result is an observation.
        older = []
        for message in messages:
            calls = message.get("tool_calls", [])
            if message["content"] or not calls:
                older.append({"role": "observation" if message["role"] == "tool" else message["role"], "content": message["content"]})
            older += [{"role": "assistant", "metadata": call["function"]["name"], "content": compact(call["function"]["arguments"])} for call in calls]
        of_message = [{**older[0], "tools": TOOLS}, *older[1:]] if older[0]["role"] == "system" else [{"role": "system", "content": "", "tools": TOOLS}, *older]
        for template, handed, tools in (("tools_tags.jinja", messages, TOOLS), ("tools_metadata.jinja", older, TOOLS), ("tools_message.jinja", of_message, None)):
            rows.append({"name": f"{template}/{name}", "template": template, "tools": TOOLS, "messages": [sent(message) for message in messages], "want": render(template, handed, tools)})
    (FOLDER / "tools.json").write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
