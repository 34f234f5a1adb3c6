"""The gateway as OpenAI's own Python client sees it.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_openai.py
"""

import math
import os
import threading

import openai
import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")

QUESTION = [{"role": "user", "content": "Hello! Who are you?"}]


def test_the_model_is_listed_and_found(client, model):
    assert [entry.object for entry in client.models.list()] == ["model"]
    assert client.models.retrieve(model).id == model


def test_a_chat_completion_has_text_reason_and_usage(client, model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, temperature=0, max_tokens=32)
    choice = answer.choices[0]
    assert answer.object == "chat.completion"
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 0 < answer.usage.completion_tokens <= 32
    assert answer.usage.prompt_tokens_details.cached_tokens >= 0
    assert answer.system_fingerprint


def test_a_streamed_chat_is_the_whole_one_in_pieces(client, model):
    parameters = dict(model=model, messages=QUESTION, temperature=0, max_tokens=32, logprobs=True, top_logprobs=2)
    whole = client.chat.completions.create(**parameters)
    chunks = list(
        client.chat.completions.create(**parameters, stream=True, stream_options={"include_usage": True})
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == whole.choices[0].message.content
    assert choices[-1].finish_reason == whole.choices[0].finish_reason
    tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    assert tokens == whole.choices[0].logprobs.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_chat_log_probabilities_are_ordered_and_spell_the_text(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=16, logprobs=True, top_logprobs=5
    )
    content = answer.choices[0].logprobs.content
    assert content
    for token in content:
        assert -9999 <= token.logprob <= 0
        assert len(token.top_logprobs) == 5
        ranked = [alternative.logprob for alternative in token.top_logprobs]
        assert ranked == sorted(ranked, reverse=True)
        assert sum(math.exp(value) for value in ranked) <= 1 + 1e-3
    spelled = b"".join(bytes(token.bytes) for token in content).decode(errors="replace")
    assert spelled.lstrip() == answer.choices[0].message.content.lstrip()


def test_a_completion_continues_a_text(client, model):
    answer = client.completions.create(model=model, prompt="The capital of France is", temperature=0, max_tokens=5)
    assert answer.object == "text_completion"
    assert answer.choices[0].text
    assert answer.usage.completion_tokens <= 5


def test_an_echo_scores_the_prompt(client, model):
    prompt = "The capital of France is"
    answer = client.completions.create(
        model=model, prompt=prompt, temperature=0, max_tokens=1, logprobs=2, echo=True
    )
    logprobs = answer.choices[0].logprobs
    count = answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == count
    assert len(logprobs.text_offset) == count
    assert logprobs.token_logprobs[0] is None
    assert all(value <= 0 for value in logprobs.token_logprobs[1:])
    assert all(2 <= len(top) <= 3 for top in logprobs.top_logprobs[1:])
    assert logprobs.text_offset == sorted(logprobs.text_offset)
    assert answer.choices[0].text.startswith(prompt)


def test_prompts_may_be_token_ids_and_several(client, model):
    single = client.completions.create(model=model, prompt=[5, 6, 7], temperature=0, max_tokens=4)
    several = client.completions.create(model=model, prompt=[[5, 6, 7], [8, 9]], temperature=0, max_tokens=4)
    assert single.usage.prompt_tokens == 3
    assert several.usage.prompt_tokens == 5
    assert [choice.index for choice in several.choices] == [0, 1]
    assert several.choices[0].text == single.choices[0].text


def test_a_streamed_completion_is_the_whole_one_in_pieces(client, model):
    parameters = dict(model=model, prompt="Once upon a time", max_tokens=24, seed=11, temperature=0.9, n=2)
    whole = client.completions.create(**parameters)
    texts = ["", ""]
    for chunk in client.completions.create(**parameters, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in whole.choices]


def test_a_stop_string_is_not_in_the_text(client, model):
    parameters = dict(model=model, prompt="Once upon a time", temperature=0, max_tokens=24)
    text = client.completions.create(**parameters).choices[0].text
    assert len(text) >= 4
    stop = text[2:5]
    cut = client.completions.create(**parameters, stop=[stop]).choices[0]
    assert cut.finish_reason == "stop"
    assert cut.text == text[: text.index(stop)]


def test_a_seed_repeats_an_answer(client, model):
    parameters = dict(model=model, prompt="Once upon a time", temperature=1, max_tokens=24)
    texts = [client.completions.create(**parameters, seed=5).choices[0].text for _ in range(2)]
    assert texts[0] == texts[1]
    others = {client.completions.create(**parameters, seed=seed).choices[0].text for seed in range(5)}
    assert len(others) > 1


def test_n_gives_as_many_choices(client, model):
    answer = client.completions.create(
        model=model, prompt="Once upon a time", temperature=1, max_tokens=24, n=3, seed=1
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.text for choice in answer.choices}) > 1


def test_ignore_eos_goes_on_to_the_limit(client, model):
    answer = client.completions.create(
        model=model, prompt="Hello", temperature=0, max_tokens=64, extra_body={"ignore_eos": True}
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 64


def test_errors_have_their_classes(client, model):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=QUESTION)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=QUESTION, temperature=3)
    assert caught.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=model, messages=QUESTION, response_format={"type": "yaml"}
        )
    assert caught.value.param == "response_format.type"
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model=model, prompt="x", max_tokens=100_000_000)
    assert caught.value.code == "context_length_exceeded"


def test_leaving_a_stream_frees_the_server(client, model):
    stream = client.completions.create(
        model=model, prompt="Once upon a time", max_tokens=200, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    answer = client.completions.create(model=model, prompt="Hello", temperature=0, max_tokens=1)
    assert answer.choices


def test_concurrent_clients_get_the_answers_of_lonely_ones(client, model):
    prompts = [f"{number} plus {number} is" for number in range(8)]

    def ask(prompt):
        answer = client.completions.create(model=model, prompt=prompt, temperature=0, max_tokens=8)
        return answer.choices[0].text

    alone = [ask(prompt) for prompt in prompts]
    together = [None] * len(prompts)

    def run(index):
        together[index] = ask(prompts[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_embeddings_have_length_one_and_tell_texts_apart(client, model):
    texts = ["A cat sat on the mat.", "A cat sat on a mat.", "Interest rates fell by two percent."]
    answer = client.embeddings.create(model=model, input=texts, encoding_format="float")
    vectors = [entry.embedding for entry in answer.data]
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    assert all(abs(math.fsum(number * number for number in vector) - 1) < 1e-5 for vector in vectors)
    near, far = (sum(left * right for left, right in zip(vectors[0], other)) for other in vectors[1:])
    assert far < near < 1
    assert answer.usage.total_tokens == answer.usage.prompt_tokens > len(texts)
    # The client's own default is base64.
    alone = client.embeddings.create(model=model, input=texts[1])
    assert alone.data[0].embedding == pytest.approx(vectors[1], abs=1e-7)


def test_an_embedding_of_tokens_is_that_of_their_text_and_none_is_shortened(client, model):
    vector = client.embeddings.create(model=model, input=[[7, 8, 9]]).data[0].embedding
    assert client.embeddings.create(model=model, input=[7, 8, 9], dimensions=len(vector)).data[0].embedding == vector
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model=model, input="x", dimensions=len(vector) // 2)
    assert refused.value.param == "dimensions"
