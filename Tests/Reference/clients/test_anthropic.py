"""The gateway as Anthropic's own Python client sees it.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_anthropic.py
"""

import os

import anthropic
import jsonschema
import openai
import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")

QUESTION = [{"role": "user", "content": "What is 17 + 25?"}]
# The client has no name for the temperature any more; the API still has.
GREEDY = {"temperature": 0}


@pytest.fixture(scope="module")
def client():
    with anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def model():
    with openai.OpenAI(base_url=URL + "/v1", api_key="none") as client:
        return client.models.list().data[0].id


def test_a_message_has_text_reason_and_usage(client, model):
    message = client.messages.create(
        model=model, max_tokens=48, messages=QUESTION, system="You are a helpful assistant.", extra_body=GREEDY
    )
    assert message.type == "message" and message.role == "assistant"
    assert message.content[0].type == "text" and message.content[0].text
    assert message.stop_reason in ("end_turn", "max_tokens")
    assert message.usage.output_tokens > 0
    assert message.usage.input_tokens + message.usage.cache_read_input_tokens > 0


def test_a_message_says_what_a_chat_completion_says(client, model):
    message = client.messages.create(model=model, max_tokens=32, messages=QUESTION, extra_body=GREEDY)
    with openai.OpenAI(base_url=URL + "/v1", api_key="none") as other:
        chat = other.chat.completions.create(model=model, max_tokens=32, messages=QUESTION, extra_body=GREEDY)
    assert message.content[0].text == chat.choices[0].message.content
    assert message.usage.input_tokens + message.usage.cache_read_input_tokens == chat.usage.prompt_tokens


def test_a_streamed_message_is_the_whole_one_in_pieces(client, model):
    parameters = dict(model=model, max_tokens=32, messages=QUESTION, extra_body=GREEDY)
    whole = client.messages.create(**parameters)
    events = list(client.messages.create(**parameters, stream=True))
    kinds = [event.type for event in events if event.type != "content_block_delta"]
    assert kinds == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == whole.content[0].text
    assert events[-2].delta.stop_reason == whole.stop_reason
    assert events[-2].usage.output_tokens == whole.usage.output_tokens


def test_the_stream_helper_assembles_the_message(client, model):
    with client.messages.stream(model=model, max_tokens=32, messages=QUESTION, extra_body=GREEDY) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert message.content[0].text == text
    assert message.stop_reason in ("end_turn", "max_tokens")


def test_a_stop_sequence_is_named_and_not_in_the_text(client, model):
    parameters = dict(model=model, max_tokens=32, messages=QUESTION, extra_body=GREEDY)
    text = client.messages.create(**parameters).content[0].text
    stop = text[1:3]
    cut = client.messages.create(**parameters, stop_sequences=[stop])
    assert cut.stop_reason == "stop_sequence"
    assert cut.stop_sequence == stop
    assert "".join(block.text for block in cut.content) == text[: text.index(stop)]


def test_tokens_are_counted(client, model):
    count = client.messages.count_tokens(model=model, messages=QUESTION).input_tokens
    usage = client.messages.create(model=model, max_tokens=1, messages=QUESTION).usage
    assert count == usage.input_tokens + usage.cache_read_input_tokens


def test_a_repeated_prompt_is_read_from_the_cache(client, model):
    messages = [{"role": "user", "content": "one two three four five six seven eight nine ten " * 8}]
    usages = [client.messages.create(model=model, max_tokens=1, messages=messages).usage for _ in range(2)]
    assert usages[1].cache_read_input_tokens > 0
    assert len({usage.input_tokens + usage.cache_read_input_tokens for usage in usages}) == 1


def test_errors_have_their_classes(client, model):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="no-such-model", max_tokens=1, messages=QUESTION)
    assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=model, max_tokens=1, messages=QUESTION, extra_body={"temperature": 2})
    assert "temperature" in caught.value.body["error"]["message"]
    assert caught.value.request_id
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(
            model=model, max_tokens=2048, messages=QUESTION, thinking={"type": "enabled", "budget_tokens": 1024}
        )
    assert "thinking" in caught.value.body["error"]["message"]


TOOLS = [
    {
        "name": "get_weather",
        "description": "Tells the weather.",
        "input_schema": {
            "type": "object",
            "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["days"],
            "additionalProperties": False,
        },
    }
]


def test_a_tool_is_called_with_input_that_keeps_to_its_schema_and_its_result_taken(client, model):
    question = [{"role": "user", "content": "What will the weather be in Paris?"}]
    parameters = dict(
        model=model, max_tokens=200, tools=TOOLS, tool_choice={"type": "any", "disable_parallel_tool_use": True}
    )
    message = client.messages.create(messages=question, extra_body=GREEDY, **parameters)
    assert message.stop_reason == "tool_use"
    call = message.content[-1]
    assert call.type == "tool_use" and call.name == "get_weather"
    jsonschema.validate(call.input, TOOLS[0]["input_schema"])
    with client.messages.stream(messages=question, extra_body=GREEDY, **parameters) as stream:
        kinds = {event.type for event in stream}
        streamed = stream.get_final_message()
    assert "input_json" in kinds
    assert [block.input for block in streamed.content] == [block.input for block in message.content]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain"}
    after = question + [
        {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}
    ]
    assert client.messages.create(model=model, max_tokens=8, messages=after, tools=TOOLS).usage.output_tokens > 0
