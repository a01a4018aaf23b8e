"""Tools, calls of them, their answers and thinking, written into the text: one form that every model and trainer reads.

Few chat templates know tool roles, none of the trainers with tags in their texts has columns for all of them, and what
a model learns from must not hang on where it is trained. So they are written in the form that Hermes and Qwen models
use: `<tools>` in the system turn, `<tool_call>` in an answer, `<tool_response>` in what the user says next, and
`<think>` before an answer.
"""

import json

from cadc.data.rawrow import plain
from cadc.data.reasons import SetAside, kind_of

_HEAD = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def _decoded(value: object) -> object:
    """JSON text as its value, where it is one."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def value_text(value: object) -> str:
    """A text as it is, another value as JSON."""
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)


def tools_text(value: object) -> str:
    """A `tools` column as the text that tells a model of them; '' for none. Raises SetAside when it is no list."""
    tools = _decoded(value)
    if tools in (None, "", []):
        return ""
    if isinstance(tools, dict):
        tools = [tools]
    if not isinstance(tools, list):
        raise SetAside(f"tools are not a list: it is {kind_of(tools)}")
    return _HEAD.format(tools="\n".join(map(value_text, tools)))


def call_text(value: object) -> str:
    """Calls of one answer (a list, one call, or JSON text of them) as `<tool_call>` pieces; '' for none."""
    calls = _decoded(value)
    if calls in (None, "", [], {}):
        return ""
    return "\n".join(f"<tool_call>\n{value_text(_call(one))}\n</tool_call>"
                     for one in (calls if isinstance(calls, list) else [calls]))


def _call(value: object) -> object:
    """{"name", "arguments"} of a call, whichever way it is nested."""
    if isinstance(value, dict):
        inner = value.get("function")
        named = inner if isinstance(inner, dict) else value
        if "name" in named:
            return {"name": named["name"], "arguments": _decoded(named.get("arguments", {}))}
    return value


def response_text(text: str) -> str:
    """What a tool answered, as a part of what the user says."""
    return f"<tool_response>\n{text}\n</tool_response>"


def thought_text(thought: str) -> str:
    """Thinking, as it stands before an answer."""
    return f"<think>\n{thought}\n</think>\n\n"
