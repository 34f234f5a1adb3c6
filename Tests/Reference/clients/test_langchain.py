"""The gateway as langchain-openai sees it.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_langchain.py
"""

import os

import openai
import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAI

URL = os.environ.get("PHALANX_URL", "").rstrip("/")

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")


@pytest.fixture(scope="module")
def settings():
    with openai.OpenAI(base_url=URL + "/v1", api_key="none") as client:
        model = client.models.list().data[0].id
    return dict(base_url=URL + "/v1", api_key="none", model=model, temperature=0, max_retries=0)


@pytest.mark.parametrize("responses", [False, True])
def test_a_chain_answers_and_streams(settings, responses):
    prompt = ChatPromptTemplate.from_messages([("system", "You are a helpful assistant."), ("user", "{question}")])
    chain = prompt | ChatOpenAI(**settings, max_tokens=32, use_responses_api=responses)
    question = {"question": "What is 17 + 25?"}
    whole = chain.invoke(question)
    assert whole.text
    assert whole.usage_metadata["output_tokens"] > 0
    pieces = list(chain.stream(question))
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces) == whole.text


def test_questions_are_answered_together(settings):
    model = ChatOpenAI(**settings, max_tokens=32)
    questions = [f"What is {number} + {number}?" for number in range(6)]
    together = [answer.content for answer in model.batch(questions)]
    assert together == [model.invoke(question).content for question in questions]


def test_a_completion_continues_a_text(settings):
    model = OpenAI(**settings, max_tokens=16)
    whole = model.invoke("Once upon a time")
    assert whole
    assert "".join(model.stream("Once upon a time")) == whole
