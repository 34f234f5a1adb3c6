"""OpenAI's client for the gateway at PHALANX_URL, and the model there. Files about other clients have their own."""

import os

import openai
import pytest


@pytest.fixture(scope="module")
def client():
    with openai.OpenAI(base_url=os.environ["PHALANX_URL"].rstrip("/") + "/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id
