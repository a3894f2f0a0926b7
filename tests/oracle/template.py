# SPDX-License-Identifier: Apache-2.0
# Writes tests/golden/template/constructs.json: small templates of our own, rendered by Jinja2 with the settings that chat
# templates are rendered with (trim_blocks, lstrip_blocks, loop controls, tojson without HTML escapes).
# Run: python tests/oracle/template.py (needs jinja2)
import json
import pathlib

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

MESSAGES = [
    {"role": "system", "content": "Sys ü"},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " Hi\nthere "}]},
    {"role": "assistant", "content": "<think>why</think> So.", "metadata": "tool"},
    {"role": "user", "content": "你好, it's \"q\""},
]

SOURCES = [
    "a\n{% if true %}\n  b\n  {% endif %}\nc\n",
    "  {% if true %}x{% endif %}  y  {{ 1 }}\n  {{ 2 }}\n",
    "x   {%- if true -%}   y   {%- endif -%}   z",
    "x  {{- 1 -}}  y\n{#- note -#}\n z {# note #}\nend",
    "{%+ if true %}a{%+ endif %}\n  {%+ if true +%}\nb{% endif %}",
    "{% raw %}{{ x }} {% if %}{% endraw %}!{%- raw -%} {{ {%- endraw %} ",
    "{% if 0 %}a{% elif '' %}b{% elif [] %}c{% elif {} %}d{% elif none %}e{% elif x %}f{% else %}g{% endif %}",
    "{% for i in [3, 1, 2] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in range(5) if i % 2 == 1 %}{{ i }}/{{ loop.length }},{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}{% for i in nothing %}x{% else %}none{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}-{{ b }} {% endfor %}{% for k, v in {'x': 1, 'y': [2]}.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1, 2, 3] %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}",
    "{% set ns = namespace(a=1, b='') %}{% for i in range(4) %}{% set ns.a = ns.a * 2 %}{% set ns.b = ns.b ~ i %}{% endfor %}{{ ns.a }} {{ ns.b }}",
    "{% set a, b = 1, 'two' %}{{ b }}{{ a }}{% set t = 1, 2 %}{{ t | length }}",
    "{% set block %}  in {{ 1 + 1 }} {% endset %}[{{ block }}]",
    "{% macro f(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c='y') }} {{ f('p', 'q', 'r') }}{{ f() }}",
    "{% set g = 'global' %}{% macro f(n) %}{{ g }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro pair(a, b) -%} <{{ a }}|{{ b }}> {%- endmacro %}{{ pair('x', 'y') | upper }}",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 5.0 }} {{ 0.1 + 0.2 }} {{ 1e3 if false else 2.5 }}",
    "{{ -3 }} {{ +3 }} {{ - 3 + 1 }} {{ true + 1 }} {{ 10 - 2 - 3 }} {{ 6 / 3 }}",
    "{{ 'a' ~ 1 ~ none ~ true }} {{ 'ab' * 3 }} {{ 'a' 'b' }} {{ 'a' + 'b' }} {{ [1] + [2] }}",
    "{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ 'a' == 'a' }} {{ [1] == [1] }} {{ none == none }} {{ 1 != 2 }} {{ 3 >= 3 }}",
    "{{ 'b' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1, 2] }} {{ 'k' in {'k': 1} }} {{ not 1 in [2] }} {{ 'a' in nothing }}",
    "{{ true and false or true }} {{ not true or true }} {{ 0 or 'x' }} {{ 1 and 'y' }} {{ '' and 'z' }}|{{ none or '' }}|",
    "{{ 'x' if true }}|{{ 'x' if false }}|{{ 'a' if false else 'b' if false else 'c' }}",
    "{{ nothing }}|{{ nothing is defined }}|{{ messages is defined }}|{{ nothing is undefined }}|{{ messages[0].nothing is defined }}|{{ messages[9] is defined }}",
    "{{ 'a' is string }} {{ 1 is number }} {{ 1.5 is float }} {{ 1 is integer }} {{ true is boolean }} {{ none is none }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is iterable }} {{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 1 is not none }} {{ 2 is eq 2 }} {{ 'x' is in ['x'] }} {{ true is true }} {{ 1 is true }}",
    "{{ not messages is string and messages is iterable }} {{ messages[1].content is string }} {{ messages[0]['content'] is string }}",
    "{{ 'hello'[0] }}{{ 'hello'[-1] }} {{ 'hello'[1:3] }} {{ 'hello'[:-1] }} {{ 'hello'[::2] }} {{ 'hello'[::-1] }} {{ '你好吗'[1:] }} {{ [1, 2, 3][-2:] }} {{ [1, 2, 3][5:] }} {{ 'abc'[-100:2] }}",
    "{{ messages[0].role }} {{ messages[-1]['content'] }} {{ messages[1:] | length }} {{ messages[1].content[1].text }} {{ (messages | last).role }}",
    "{{ '  x y  ' | trim }}|{{ '  x  '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ '  x '.lstrip() }}|{{ ' x  '.rstrip() }}|{{ '　x ' | trim }}",
    "{{ 'a,b,c'.split(',') }} {{ 'a b  c'.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'abc'.split('x')[-1] }} {{ 'a\nb\n'.splitlines() }} {{ ''.split() }} {{ ''.split(',') }}",
    "{{ 'Abc'.startswith('A') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ 'aXbX' | replace('X', '') }} {{ 'abcb'.find('b') }} {{ 'abcb'.rfind('b') }} {{ 'x'.find('b') }} {{ 'abcb'.count('b') }}",
    "{{ 'aBc'.upper() }} {{ 'aBc' | lower }} {{ 'hello wORLD' | title }} {{ 'hELLO' | capitalize }} {{ 'pre-x'.removeprefix('pre-') }} {{ 'x.py'.removesuffix('.py') }} {{ '123'.isdigit() }}",
    "{{ ['a', 'b'] | join(', ') }} {{ [1, 2] | join }} {{ ', '.join(['x', 'y']) }} {{ [{'n': 1}, {'n': 2}] | join('+', attribute='n') }}",
    "{{ [1, 2, 3] | first }} {{ [1, 2, 3] | last }} {{ 'abc' | length }} {{ '你好' | count }} {{ {'a': 1} | length }} {{ 'ab' | list }} {{ [3, 1] | reverse | list }} {{ 'abc' | reverse }}",
    "{{ nothing | default('d') }} {{ '' | default('d') }}|{{ '' | default('d', true) }} {{ none | d('x') }} {{ '12' | int }} {{ 'x' | int(5) }} {{ 3.7 | int }} {{ 5 | string | length }} {{ 2.567 | round(1) }}",
    "{{ {'a': [1, 2.5, none, true], 'b': {'c': 'é\\n\"<'}} | tojson }}",
    "{{ {'a': [1, {'x': []}], 'b': {}} | tojson(indent=2) }}|{{ 'é' | tojson }}|{{ [] | tojson(indent=4) }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | map(attribute='role') | join(',') }} {{ messages | rejectattr('metadata', 'defined') | map(attribute='role') | list }} {{ [1, 2, 3] | select('odd') | list }} {{ ['a', 'B'] | map('upper') | join }} {{ [0, 1, ''] | reject | list }}",
    "{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ {'a': 1}['a'] }} {{ {'a': 1}.a }}",
    "{{ [1, 'a', none, [true, {'k': 'v\\'s'}], 2.0] }} {{ ['it\\'s \"x\"'] }} {{ {'t': (1, 2)}.t[0] }}",
    "{{ 'line1\nline2' | indent(2) }}|{{ 'a\n\nb' | indent(2, true) }}",
    "{{ \"\\x41\\u00e9\\t|\\\\|\\'|\\q\" }}",
    "{%- for m in messages -%}{{ '<|' + m.role + '|>' + (m.metadata if m.metadata else '') }}{% if m.content is string %}{{ m.content.split('</think>')[-1].strip() }}{% else %}{% for p in m['content'] %}{{ p.type }}{{ p['text'] | trim if p.type == 'text' }}{% endfor %}{% endif %}{{- '\n' if not loop.last }}{%- endfor -%}",
    "{{ range(3) | list }} {{ range(1, 7, 2) | list }} {{ range(5, 0, -2) | list }} {{ dict(a=1, b='x') }} {{ range(0) | list }}",
    "{{ add_generation_prompt }} {{ enable_thinking is defined }} {{ tools }} {{ tools is none }} {{ not tools }}",
    "\r\n{% if true %}\r\nx\r\n{% endif %}\r\ny",
]


def main():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = lambda value, indent=None, ensure_ascii=False: json.dumps(value, ensure_ascii=ensure_ascii,
                                                                                            indent=indent)
    rows = []
    for source in SOURCES:
        try:
            text = environment.from_string(source).render(messages=MESSAGES, add_generation_prompt=True, tools=None, documents=None)
        except jinja2.TemplateError as problem:
            raise SystemExit(f"{source!r}: {problem}")
        rows.append({"source": source, "want": text})
    path = pathlib.Path(__file__).parent.parent / "golden" / "template" / "constructs.json"
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    print(len(rows), "templates")


if __name__ == "__main__":
    main()
