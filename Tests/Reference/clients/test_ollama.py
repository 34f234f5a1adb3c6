"""The gateway as Ollama's own Python client sees it.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_ollama.py
"""

import json
import os

import jsonschema
import ollama
import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")

QUESTION = [{"role": "user", "content": "What is 17 + 25?"}]
GREEDY = {"temperature": 0, "num_predict": 32}


@pytest.fixture(scope="module")
def client():
    return ollama.Client(host=URL, timeout=120)


@pytest.fixture(scope="module")
def model(client):
    return client.list().models[0].model


def test_the_model_is_listed_running_and_shown(client, model):
    assert model.endswith(":latest")
    assert [entry.model for entry in client.ps().models] == [model]
    entry = client.list().models[0]
    assert entry.size > 0
    assert entry.details.parameter_size and entry.details.quantization_level
    shown = client.show(model)
    assert shown.capabilities == ["completion", "embedding"]
    assert shown.modelinfo["general.parameter_count"] > 0
    assert shown.details.family == shown.modelinfo["general.architecture"]


def test_a_chat_has_text_reason_counts_and_durations(client, model):
    answer = client.chat(model=model, messages=QUESTION, options=GREEDY)
    assert answer.message.role == "assistant" and answer.message.content
    assert answer.done and answer.done_reason in ("stop", "length")
    assert answer.prompt_eval_count > 0
    assert 0 < answer.eval_count <= 32
    assert answer.total_duration >= answer.eval_duration >= 0


def test_a_streamed_chat_is_the_whole_one_in_pieces(client, model):
    whole = client.chat(model=model, messages=QUESTION, options=GREEDY)
    parts = list(client.chat(model=model, messages=QUESTION, options=GREEDY, stream=True))
    assert "".join(part.message.content for part in parts) == whole.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == whole.eval_count


def test_a_generation_says_what_a_chat_says_and_goes_on_from_its_context(client, model):
    chat = client.chat(model=model, messages=QUESTION, options=GREEDY)
    first = client.generate(model=model, prompt=QUESTION[0]["content"], options=GREEDY)
    assert first.response == chat.message.content
    assert len(first.context) == first.prompt_eval_count + first.eval_count
    second = client.generate(model=model, prompt="What is 3 + 4?", context=first.context, options=GREEDY)
    assert second.response
    assert second.prompt_eval_count > len(first.context)


def test_a_raw_prompt_is_continued(client, model):
    parts = list(client.generate(model=model, prompt="Once upon a time", raw=True, stream=True, options=GREEDY))
    whole = client.generate(model=model, prompt="Once upon a time", raw=True, options=GREEDY)
    assert "".join(part.response for part in parts) == whole.response
    assert whole.response


def test_options_are_honoured(client, model):
    free = {"temperature": 1, "top_k": 0, "top_p": 1, "num_predict": 24}
    texts = {
        client.generate(model=model, prompt="Once upon a time", raw=True, options={**free, "seed": seed}).response
        for seed in (1, 1, 2, 3)
    }
    assert 1 < len(texts) <= 3
    text = client.chat(model=model, messages=QUESTION, options=GREEDY).message.content
    stop = text[1:3]
    cut = client.chat(model=model, messages=QUESTION, options={**GREEDY, "stop": [stop]})
    assert cut.message.content == text[: text.index(stop)]
    assert cut.done_reason == "stop"


def test_log_probabilities_come_when_they_are_asked_for(client, model):
    answer = client.chat(model=model, messages=QUESTION, options=GREEDY, logprobs=True, top_logprobs=2)
    assert answer.logprobs
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in answer.logprobs)


def test_a_model_is_loaded_by_a_request_for_nothing(client, model):
    assert client.generate(model=model).done_reason == "load"


def test_errors_carry_status_and_message(client, model):
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model="no-such-model", messages=QUESTION)
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model=model, messages=QUESTION, think=True)
    assert caught.value.status_code == 400
    assert "think" in caught.value.error


def test_texts_are_embedded(client, model):
    answer = client.embed(model=model, input=["one text", "another"])
    assert len(answer.embeddings) == 2 and answer.prompt_eval_count > 2
    assert all(abs(sum(number * number for number in vector) - 1) < 1e-5 for vector in answer.embeddings)
    assert client.embeddings(model=model, prompt="another").embedding == answer.embeddings[1]


def test_a_format_is_kept_to(client, model):
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    options = {"temperature": 1.5, "num_predict": 64, "seed": 3}
    chat = client.chat(model=model, messages=QUESTION, format=schema, options=options)
    jsonschema.validate(json.loads(chat.message.content), schema)
    pieces = client.generate(model=model, prompt="17 + 25?", format=schema, options=options, stream=True)
    jsonschema.validate(json.loads("".join(piece.response for piece in pieces)), schema)
    free = client.chat(model=model, messages=QUESTION, format="json", options=GREEDY)
    assert free.message.content.lstrip().startswith("{")
