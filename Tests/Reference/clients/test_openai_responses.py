"""The Responses API as OpenAI's own Python client sees it.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_openai_responses.py
"""

import json
import os

import jsonschema
import openai
import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")

EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]


def test_a_response_has_text_status_and_usage(client, model):
    response = client.responses.create(
        model=model, input="Hello! Who are you?", temperature=0, max_output_tokens=48, metadata={"run": "1"}
    )
    assert response.object == "response"
    assert response.output_text
    assert response.status in ("completed", "incomplete")
    assert response.output[0].role == "assistant"
    assert response.metadata == {"run": "1"}
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert 0 <= response.usage.input_tokens_details.cached_tokens <= response.usage.input_tokens
    assert response.temperature == 0


def test_a_response_says_what_a_chat_completion_says(client, model):
    chat = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "What is 17 + 25?"}], temperature=0, max_tokens=32
    )
    response = client.responses.create(model=model, input="What is 17 + 25?", temperature=0, max_output_tokens=32)
    assert response.output_text == chat.choices[0].message.content
    assert response.usage.output_tokens == chat.usage.completion_tokens


def test_a_streamed_response_is_the_whole_one_in_documented_events(client, model):
    parameters = dict(model=model, input="Tell me a story.", temperature=0, max_output_tokens=32)
    whole = client.responses.create(**parameters)
    events = list(client.responses.create(**parameters, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    others = [event.type for event in events if event.type != "response.output_text.delta"]
    assert others[:-1] == EVENTS
    assert others[-1] == "response." + whole.status
    assert "".join(event.delta for event in deltas) == whole.output_text
    assert events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage.output_tokens == whole.usage.output_tokens


def test_the_stream_helper_assembles_the_response(client, model):
    with client.responses.stream(model=model, input="What day comes after Monday?", temperature=0) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text


def test_a_conversation_goes_on_from_a_stored_response(client, model):
    first = client.responses.create(model=model, input="What is 17 + 25?", temperature=0, max_output_tokens=32)
    second = client.responses.create(
        model=model, input="What is 3 + 4?", previous_response_id=first.id, temperature=0, max_output_tokens=32
    )
    by_hand = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "user", "content": "What is 17 + 25?"},
            {"role": "assistant", "content": first.output_text},
            {"role": "user", "content": "What is 3 + 4?"},
        ],
        temperature=0,
        max_tokens=32,
    )
    assert second.previous_response_id == first.id
    assert second.output_text == by_hand.choices[0].message.content
    assert second.usage.input_tokens == by_hand.usage.prompt_tokens


def test_responses_are_kept_shown_and_forgotten(client, model):
    response = client.responses.create(model=model, input="Hello!", temperature=0, max_output_tokens=8)
    assert client.responses.retrieve(response.id) == response
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input="Hello!", previous_response_id=response.id)
    assert caught.value.code == "previous_response_not_found"
    unstored = client.responses.create(model=model, input="Hello!", store=False, max_output_tokens=8)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(unstored.id)


def test_log_probabilities_spell_the_text(client, model):
    response = client.responses.create(
        model=model, input="Hello!", temperature=0, max_output_tokens=8, top_logprobs=3,
        include=["message.output_text.logprobs"],
    )
    logprobs = response.output[0].content[0].logprobs
    assert b"".join(bytes(token.bytes) for token in logprobs).decode(errors="replace").lstrip() == response.output_text
    assert all(len(token.top_logprobs) == 3 for token in logprobs)


def test_what_is_not_supported_is_refused_by_name(client, model):
    for parameters, name in [
        (dict(background=True), "background"),
        (dict(tools=[{"type": "web_search"}]), "tools[0].type"),
        (dict(reasoning={"effort": "high"}), "reasoning"),
        (dict(conversation="conv_1"), "conversation"),
        (dict(service_tier="flex"), "service_tier"),
    ]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=model, input="Hello!", **parameters)
        assert caught.value.param == name


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "object",
        "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["days"],
        "additionalProperties": False,
    },
    "strict": True,
}


def test_a_format_is_kept_to(client, model):
    text = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    for seed in range(3):
        response = client.responses.create(
            model=model, input="Where?", text=text, max_output_tokens=128, temperature=1.5, extra_body={"seed": seed}
        )
        assert response.status == "completed"
        jsonschema.validate(json.loads(response.output_text), SCHEMA)


def test_a_function_is_called_whole_and_streamed_and_its_output_taken(client, model):
    parameters = dict(
        model=model, input="What will the weather be in Paris?", tools=[TOOL], tool_choice="required",
        parallel_tool_calls=False, temperature=0, max_output_tokens=200,
    )
    response = client.responses.create(**parameters)
    call = response.output[-1]
    assert call.type == "function_call" and call.name == "get_weather"
    jsonschema.validate(json.loads(call.arguments), TOOL["parameters"])
    with client.responses.stream(**parameters) as stream:
        pieces = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        streamed = stream.get_final_response()
    assert "".join(pieces) == streamed.output[-1].arguments == call.arguments
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain"}
    after = client.responses.create(
        model=model, previous_response_id=response.id, input=[output], tools=[TOOL], max_output_tokens=16
    )
    assert after.usage.input_tokens > response.usage.input_tokens
