"""Structured answers and tools as OpenAI's own Python client sees them, validated with the package jsonschema.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_structured.py
"""

import json
import os

import jsonschema
import openai
import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")

QUESTION = [{"role": "user", "content": "Hello! Who are you?"}]

SCHEMAS = {
    "person": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "mail": {"type": ["string", "null"], "pattern": r"^[\w.]{1,9}@[a-z]{2,9}\.(org|com)$"},
            "role": {"enum": ["user", "admin", 3, None]},
        },
        "required": ["name", "age", "mail", "role"],
        "additionalProperties": False,
    },
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "number", "minimum": -1, "maximum": 1},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
                },
                "required": ["value", "children"],
            }
        },
    },
    "shapes": {
        "type": "array",
        "minItems": 1,
        "maxItems": 3,
        "items": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"kind": {"const": "circle"}, "radius": {"type": "integer", "exclusiveMinimum": 0}},
                    "required": ["kind", "radius"],
                },
                {
                    "type": "object",
                    "properties": {
                        "kind": {"const": "point"},
                        "at": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}], "items": False, "minItems": 2},
                        "made": {"type": "string", "format": "date-time"},
                    },
                    "required": ["kind", "at", "made"],
                },
            ]
        },
    },
    "open": {
        "type": "object",
        "properties": {"id": {"type": "string", "format": "uuid"}},
        "required": ["id"],
        "additionalProperties": {"type": "boolean"},
    },
}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "maxLength": 12},
                    "unit": {"enum": ["celsius", "fahrenheit"]},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14},
                },
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
    },
    {"type": "function", "function": {"name": "now"}},
]

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {number: {"type": "integer", "minimum": 0, "maximum": 99} for number in "ab"},
            "required": ["a", "b"],
        },
    },
}


def check(schema, text):
    jsonschema.validate(
        json.loads(text), schema, cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("temperature", [0, 1, 2])
def test_every_answer_that_ends_by_itself_validates(client, model, name, temperature):
    schema = SCHEMAS[name]
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=temperature, n=16, seed=3, max_tokens=300,
        response_format={"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}},
    )
    ended = [choice for choice in answer.choices if choice.finish_reason == "stop"]
    for choice in ended:
        check(schema, choice.message.content)
    if temperature > 0:
        assert ended


def test_json_mode_gives_objects(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=2, n=16, seed=1, max_tokens=200,
        response_format={"type": "json_object"},
    )
    for choice in answer.choices:
        if choice.finish_reason == "stop":
            assert isinstance(json.loads(choice.message.content), dict)


def test_a_schema_that_cannot_be_honoured_is_refused_with_the_keyword(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=model, messages=QUESTION,
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}},
        )
    assert caught.value.param == "response_format.json_schema.schema"
    assert "'not'" in str(caught.value)


def test_grammars_and_choices_hold(client, model):
    for extra, accepted in [
        ({"grammar": 'root ::= "left" | "right"'}, {"left", "right"}),
        ({"guided_choice": ["up", "down"]}, {"up", "down"}),
        ({"structured_outputs": {"regex": "[ab]"}}, {"a", "b"}),
    ]:
        answer = client.chat.completions.create(
            model=model, messages=QUESTION, temperature=2, n=8, seed=5, extra_body=extra
        )
        assert {choice.message.content for choice in answer.choices} <= accepted


def test_required_tools_are_called_with_valid_arguments(client, model):
    parameters = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in TOOLS}
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, tools=TOOLS, tool_choice="required", temperature=1.5, n=16, seed=2,
        max_tokens=150,
    )
    called = [choice for choice in answer.choices if choice.finish_reason == "tool_calls"]
    assert called
    for choice in called:
        assert not choice.message.content
        for call in choice.message.tool_calls:
            check(parameters[call.function.name], call.function.arguments)
    names = {call.function.name for choice in called for call in choice.message.tool_calls}
    assert names <= set(parameters)


def test_a_named_tool_is_streamed_as_it_comes_and_its_result_is_taken(client, model):
    request = dict(
        model=model, tools=[ADD], tool_choice={"type": "function", "function": {"name": "add"}},
        parallel_tool_calls=False, temperature=1, seed=4, max_tokens=150,
    )
    whole = client.chat.completions.create(messages=QUESTION, **request).choices[0]
    name, arguments, reason, identifier = None, "", None, None
    for chunk in client.chat.completions.create(messages=QUESTION, stream=True, **request):
        choice = chunk.choices[0]
        for call in choice.delta.tool_calls or []:
            assert call.index == 0
            name = call.function.name or name
            identifier = call.id or identifier
            arguments += call.function.arguments or ""
        reason = choice.finish_reason or reason
    assert reason == whole.finish_reason == "tool_calls"
    assert name == whole.message.tool_calls[0].function.name == "add"
    assert arguments == whole.message.tool_calls[0].function.arguments
    assert identifier
    check(ADD["function"]["parameters"], arguments)
    messages = QUESTION + [
        whole.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": whole.message.tool_calls[0].id, "content": "42"},
    ]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[ADD], max_tokens=20)
    assert answer.choices[0].finish_reason in {"stop", "length", "tool_calls"}
