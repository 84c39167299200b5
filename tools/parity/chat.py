"""Makes crates/sensorium-decode/tests/fixtures/chats.json with Transformers.

    pip install -r tools/parity/requirements.txt
    python tools/parity/chat.py

Templates written for this: each does some of what published ones do (turns marked by tokens, a system turn that may be missing, tools as
JSON, lists of texts and images, thoughts, macros, namespaces, loops that are left early, Python's methods and ways of printing). Every
template is given every talk, as `apply_chat_template` does; where it refuses one, the case has no text.
"""

import json
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

OUT = Path(__file__).parents[2] / "crates/sensorium-decode/tests/fixtures/chats.json"

TEMPLATES = {
    "marked": """{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}
<|begin|>system
You help.<|end|>
{% endif %}
{{ '<|begin|>' + message['role'] + '\\n' + (message['content'] if message['content'] is string else message['content'] | length | string) + '<|end|>' + '\\n' }}
{% endfor %}
{% if add_generation_prompt %}{{ '<|begin|>assistant\\n' }}{% endif %}""",
    "turns": """{{ bos_token }}{%- if messages[0].role == 'system' %}{%- set system = messages[0].content | trim %}{%- set turns = messages[1:] %}{%- else %}{%- set system = '' %}{%- set turns = messages %}{%- endif %}
{%- for turn in turns %}
    {%- if (turn.role == 'user') != (loop.index0 % 2 == 0) and turn.role != 'tool' %}
        {{- raise_exception('turns must alternate, but number ' ~ loop.index ~ ' is of ' ~ turn.role) }}
    {%- endif %}
    {%- if turn.role == 'user' %}[INST] {{ system + '\\n\\n' if loop.first and system else '' }}{{ turn.content if turn.content is string else '' }} [/INST]
    {%- else %} {{ turn.content }}{{ eos_token }}
    {%- endif %}
{%- endfor %}""",
    "tools": """{%- if tools is not none and tools %}
    {{- 'Tools:\\n' }}
    {%- for tool in tools %}
{{ tool | tojson(indent=4) }}
{{ tool | tojson }}
    {%- endfor %}
    {%- for tool in tools %}{{ tool.function.name | upper }}({% for name, about in tool.function.parameters.properties.items() %}{{ name }}: {{ about.type }}{{ ', ' if not loop.last }}{% endfor %}){% endfor %}
{%- endif %}
{%- for m in messages %}{%- if m.tool_calls is defined and m.tool_calls %}{%- for call in m.tool_calls %}
<call>{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}</call>{%- endfor %}{%- elif m.role == 'tool' %}
<result>{{ m.content }}</result>{%- else %}
{{ m.role }}: {{ m.content if m.content is string else m.content | map(attribute='type') | join('+') }}{%- endif %}{%- endfor %}""",
    "parts": """{%- macro part(item, n) -%}
{%- if item is mapping and item.type == 'image' %}<image {{ n }}>{%- elif item.type == 'text' -%}{{ item.text }}{%- else %}<{{ item['type'] }}>{%- endif -%}
{%- endmacro -%}
{%- set seen = namespace(images=0, last=none) -%}
{% for message in messages %}{{ message.role.capitalize() }}: {% if message.content is string %}{{ message.content }}{% else %}{% for item in message.content %}{% if item.type == 'image' %}{% set seen.images = seen.images + 1 %}{% endif %}{{ part(item, seen.images) }}{% endfor %}{% endif %}
{% set seen.last = message.role %}
{% endfor %}
{{- seen.images }} images, the last is of {{ seen.last }}{% if add_generation_prompt and seen.last != 'assistant' %}
Assistant:{% endif %}""",
    "thoughts": """{%- set ns = namespace(last=messages | length - 1) %}
{%- for message in messages[::-1] %}
    {%- if message.role == 'user' %}{%- set ns.last = messages | length - 1 - loop.index0 %}{%- break %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}{%- continue %}{%- endif %}
    {%- set said = message.content if message.content is string else '' %}
    {%- set thought = message.reasoning_content | default('', true) %}
    {%- if '</think>' in said %}
        {%- set thought = said.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set said = said.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
<{{ message.role }}>{%- if thought and loop.index0 > ns.last %}<think>{{ thought.strip() }}</think>{%- endif %}{% generation %}{{ said }}{% endgeneration %}
{%- endfor %}
{%- if add_generation_prompt %}<assistant>{%- if enable_thinking is defined and enable_thinking is false %}<think></think>{%- endif %}{%- endif %}""",
    "prints": """{{ true }} {{ none }} {{ 3 }} {{ 2.0 }} {{ 1.5e20 }} {{ 0.00001 }} {{ [1, 'a', none, true, "it's"] }} {{ {'k': [1.5, false]} }} {{ 7 // 2 }} {{ 7 / 2 }} {{ -7 % 3 }} {{ 'a' * 3 }}
{{ messages | length }} {{ messages[-1]['role'] }} {{ messages[0].get('name', 'nobody') }} {{ 'x' in 'xyz' }} {{ ('a,b' | string).split(',') }}
{{ ['b', 'a'] | sort | join('-') }} {{ 'Abc' | lower }} {{ 'abc'.startswith('ab') and not 'abc'.endswith('b') }} {{ '  t '.strip() | length }} {{ {'a': 1, 'b': {'c': 'ä\\n"'}} | tojson }} {{ [] | tojson }} {{ {} | tojson(indent=2) }}
{{ [3, 1, 2] | sort(reverse=true) | first }} {{ 'one two'.title() }} {{ (1, 2)[1] }} {{ undefined_thing }}|{{ undefined_thing is defined }} {{ 'a' if false }}| {{ 'replace me'.replace('me', 'you') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ [1, 2, 3, 4][1:3] }} {{ range(3) | list }} {{ messages | map(attribute='role') | unique | list }} {{ 'a' ~ 1 ~ 'b' }} {{ loop is defined }} {{ 5 | string + 'x' }} {{ '%s-%d' | format('a', 3) }} {{ [1, 2] + [3] }} {{ [[1, 2], [3]] | sum(start=[]) }} {{ 3.7 | int }} {{ '12' | int + 1 }} {{ 'abc'[::-1] }} {{ 'a\\nb' | indent(2) }}""",
}
TALKS = {
    "short": {"messages": [{"role": "user", "content": "Hi there"}]},
    "system": {"messages": [{"role": "system", "content": "  Be brief. "}, {"role": "user", "content": "Höre & <sag> \"was\"!"}, {"role": "assistant", "content": "Ja.\n"}, {"role": "user", "content": ""}]},
    "answered": {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nfour\n</think>\n\n4"}], "add_generation_prompt": False},
    "unordered": {"messages": [{"role": "assistant", "content": "Hello"}, {"role": "assistant", "content": "Again"}]},
    "images": {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "and"}, {"type": "image"}, {"type": "text", "text": "differ?"}]}, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": [{"type": "audio"}]}]},
    "tools": {
        "messages": [
            {"role": "user", "content": "How warm is it?"},
            {"role": "assistant", "content": "", "reasoning": "look it up", "tool_calls": [{"function": {"name": "warmth", "arguments": {"place": "Zürich", "days": 1.0, "exact": True, "unit": None}}}]},
            {"role": "tool", "content": "21"},
        ],
        "tools": [{"type": "function", "function": {"name": "warmth", "description": "How warm's it <there>?", "parameters": {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "number", "enum": [1, 2.5]}}, "required": []}}}],
    },
    "plain": {"messages": [{"role": "user", "content": "No thoughts"}], "enable_thinking": False},
}  # fmt: skip
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def main():
    cases = []
    for template, text in TEMPLATES.items():
        for talk, given in TALKS.items():
            given = dict(given)
            messages, tools = given.pop("messages"), given.pop("tools", None)
            asks = given.pop("add_generation_prompt", True)
            try:
                rendered, _ = render_jinja_template(conversations=[messages], tools=tools, chat_template=text, add_generation_prompt=asks, **TOKENS, **given)
                expected = {"text": rendered[0]}
            except Exception as error:
                expected = {"refused": str(error)}
            cases.append({"template": template, "talk": talk, "messages": messages, "tools": tools or [], "asks": asks, "more": given} | expected)
    OUT.write_text(json.dumps({"templates": TEMPLATES, "tokens": TOKENS, "cases": cases}, indent=1, ensure_ascii=False) + "\n")
    refused = [case for case in cases if "refused" in case]
    print(f"{len(cases)} cases, of which {len(refused)} are refused: {sorted({case['refused'] for case in refused})}")


if __name__ == "__main__":
    main()
