"""Rows of one process: `phalanx bench model` and llama.cpp's own benchmarks."""

import json
import os
import subprocess
from dataclasses import dataclass, field

from .measuring import Sample, last_json_line, run

MEDIUM = "phi-3-medium-Q4_K_M.gguf"
MINI = "phi-3-mini-{}.gguf"


@dataclass
class EngineRow:
    """One line of the table."""

    name: str
    title: str
    model: str
    # Arguments of `phalanx bench`, and where the result stands in its JSON.
    ours: list
    value: str  # "prefill", "decode" or "load"
    # llama.cpp: the build, the tool, and one or more settings of which the better one counts.
    build: str = "native"
    theirs: list = field(default_factory=list)
    isa: str = ""
    needs_flag: str = ""  # of /proc/cpuinfo
    # Ratios to llama.cpp, parts of the machine's limit, seconds of loading.
    bars: dict = field(default_factory=dict)

    suite = "engine"

    @property
    def unit(self):
        return "s" if self.value == "load" else "tokens/s"

    @property
    def limit(self):
        return {"prefill": "int8 peak", "decode": "read bandwidth", "load": None}[self.value]

    def tools(self):
        return [(self.build, command[0]) for command in self.theirs]

    def reason_to_skip(self, options):
        """Why the row cannot be measured here; None when it can."""
        if self.needs_flag and not has_processor_flag(self.needs_flag):
            return f"this machine has no {self.needs_flag}"
        if self.isa:
            check = subprocess.run(
                [options.phalanx, "--version"], env={**os.environ, "PHALANX_ISA": self.isa}, capture_output=True,
                text=True)
            if check.returncode != 0:
                return check.stderr.strip()
        return None

    def sides(self, options, builds):
        model = options.model_path(self.model)
        if self.value == "load":
            self.run_ours(options, model)  # fills the cache
        sides = {"phalanx": lambda: self.run_ours(options, model)}
        if self.theirs:
            commands = list(self.theirs)

            def run_theirs():
                samples = [self.run_theirs(command, options, builds, model) for command in commands]
                best = max(samples, key=lambda sample: sample.value)
                # Only the better setting takes part in later rounds.
                commands[:] = [best.detail["command"]]
                return best

            sides["llama.cpp"] = run_theirs
        return sides

    def run_ours(self, options, model):
        command = [
            options.phalanx, "bench", "model", "--model", model, "--threads", str(options.threads), "--repeat", "1",
            "--json", *self.ours, *options.cache_arguments,
        ]
        done = run(command, {"PHALANX_ISA": self.isa} if self.isa else None)
        result = last_json_line(done.output)
        detail = {"limits": result["limits"], "isa": result["isa"], "load_seconds": result["load_seconds"]}
        if self.value == "prefill":
            return Sample(
                result["prefill_tokens_per_second"], done.others, result["prefill_fraction_of_int8_peak"], detail)
        if self.value == "decode":
            entry = result["decode"][-1]
            return Sample(entry["tokens_per_second"], done.others, entry["fraction_of_bandwidth"], detail)
        return Sample(result["load_seconds"], done.others, detail=detail)

    def run_theirs(self, command, options, builds, model):
        tool = builds.tool(self.build, command[0])
        done = run([tool, "-m", model, "-t", str(options.threads), *command[1:]])
        detail = {"command": command, "build": self.build}
        if command[0] == "llama-bench":
            results = json.loads(done.output)
            detail["commit"] = results[-1].get("build_commit")
            return Sample(results[-1]["avg_ts"], done.others, detail=detail)
        return Sample(last_json_line(done.output)["speed_tg"], done.others, detail=detail)


def has_processor_flag(flag):
    flags = [line.split() for line in open("/proc/cpuinfo") if line.startswith("flags")]
    return bool(flags) and flag in flags[0]


def llama_bench(*arguments):
    return ["llama-bench", "-r", "1", "-o", "json", *arguments]


def bars(ratio=None, limit=None):
    return {name: bar for name, bar in (("ratio", ratio), ("fraction_of_limit", limit)) if bar}


PREFILL = dict(ours=["-p", "512", "-n", "0"], value="prefill", theirs=[llama_bench("-p", "512", "-n", "0")])

ROWS = [
    EngineRow("prefill-medium", "prefill, 512 tokens", MEDIUM, bars=bars((2.2, None), (0.65, 0.80)), **PREFILL),
    EngineRow(
        "decode-medium", "decode, 1 stream, empty context", MEDIUM, ["-p", "0", "-n", "64"], "decode",
        theirs=[llama_bench("-p", "0", "-n", "64")], bars=bars((1.25, 1.45), (0.85, 0.95)),
    ),
    EngineRow(
        "decode-mini-8-streams", "decode, 8 streams", MINI.format("Q4_0"),
        ["-p", "0", "-n", "64", "--depth", "16", "--streams", "8"], "decode",
        theirs=[
            ["llama-batched-bench", "-c", "1024", "-npp", "16", "-ntg", "64", "-npl", "8", "--output-format", "jsonl"]
        ],
        bars=bars((2.2, 3.0)),
    ),
    EngineRow(
        "decode-mini-3500", "decode, 1 stream at 3,500 tokens", MINI.format("Q4_0"),
        ["-p", "0", "-n", "32", "--depth", "3500"], "decode",
        theirs=[llama_bench("-p", "0", "-n", "32", "-d", "3500", "-fa", setting) for setting in ("off", "on")],
        bars=bars((2.0, 2.6)),
    ),
    EngineRow("prefill-mini-q4_0", "prefill, 512 tokens", MINI.format("Q4_0"), bars=bars((1.5, 2.0)), **PREFILL),
    EngineRow("prefill-mini-q8_0", "prefill, 512 tokens", MINI.format("Q8_0"), bars=bars((1.5, 2.0)), **PREFILL),
    EngineRow("prefill-mini-f16", "prefill, 512 tokens", MINI.format("F16"), bars=bars((1.3, 1.6)), **PREFILL),
    EngineRow(
        "prefill-avx2", "prefill, 512 tokens, AVX2 only", MEDIUM, build="avx2", isa="avx2", bars=bars((1.2, 1.5)),
        **PREFILL,
    ),
    EngineRow(
        "prefill-avxvnni", "prefill, 512 tokens, AVX2 with VNNI", MEDIUM, build="avxvnni", isa="avxvnni",
        needs_flag="avx_vnni", bars=bars((1.2, 1.5)), **PREFILL,
    ),
    EngineRow(
        "start-medium", "start to ready, packed cache", MEDIUM, ["-p", "0", "-n", "1"], "load",
        bars={"at_most": (5.0, 2.0)},
    ),
]
