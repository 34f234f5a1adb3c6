"""The gateway as EleutherAI's lm-eval sees it: log-likelihoods and generations over /v1/completions.

Needs a running gateway with the demo model, which knows the answers of the small tasks in lm_eval_tasks:
PHALANX_URL=http://127.0.0.1:8080 pytest test_lm_eval.py
"""

import json
import os
import pathlib
import subprocess
import sys

import openai
import pytest

URL = os.environ.get("PHALANX_URL", "").rstrip("/")
TASKS = pathlib.Path(__file__).parent / "lm_eval_tasks"

pytestmark = pytest.mark.skipif(not URL, reason="set PHALANX_URL to a running gateway")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a run in a process of its own, which takes the tokens from the gateway, too."""
    with openai.OpenAI(base_url=URL + "/v1", api_key="none") as client:
        model = client.models.list().data[0].id
        if model != "demo":
            pytest.skip("the tasks are made for the demo model")
    folder = tmp_path_factory.mktemp("lm_eval")
    arguments = f"model={model},base_url={URL}/v1/completions,tokenizer_backend=remote,num_concurrent=4,max_length=512"
    subprocess.run(
        [
            *(sys.executable, "-m", "lm_eval", "run", "--model", "local-completions", "--model_args", arguments),
            *("--include_path", TASKS, "--tasks", "demo_choice,demo_generate", "--output_path", folder, "--log_samples"),
        ],
        cwd=TASKS,
        env={**os.environ, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
        check=True,
        timeout=300,
    )
    [results] = folder.rglob("results_*.json")
    samples = {path.name.split("_20")[0]: path for path in folder.rglob("samples_*.jsonl")}
    return json.loads(results.read_text())["results"], samples


def test_log_likelihoods_choose_the_right_capitals(report):
    results, _ = report
    assert results["demo_choice"]["acc,none"] == 1


def test_generations_name_the_right_capitals(report):
    results, _ = report
    assert results["demo_generate"]["exact_match,last_word"] == 1


def test_every_sample_has_finite_scores(report):
    _, samples = report
    lines = samples["samples_demo_choice"].read_text().splitlines()
    assert len(lines) == 8
    for line in lines:
        for score, _ in json.loads(line)["filtered_resps"]:
            assert float(score) < 0
