#!/usr/bin/env python3
"""Compares Phalanx with llama.cpp on this machine: the same GGUF files, the same threads, in turns.

llama.cpp comes from the source package of llama-cpp-python 0.3.36 (llama.cpp 0c1e570). It is fetched with pip and built
with cmake and ninja into --build-dir the first time it is needed, which takes 10 to 20 minutes on two cores; builds that
exist already can be named with --llama-bin and its relatives. Nothing else is installed. Python 3.9 or later.

    swift build -c release --product phalanx
    for model in phi-3-medium:Q4_K_M phi-3-mini:Q4_0 phi-3-mini:Q8_0 phi-3-mini:F16; do
        phalanx synth --shape ${model%:*} --type ${model#*:} -o models/${model%:*}-${model#*:}.gguf
    done
    Tests/Reference/compare_llama_cpp.py --models models --suite all --json speed.json
    Tests/Reference/compare_llama_cpp.py --models models --row prefill-medium --rounds 3

The suite "engine" measures one process; "serve" puts a load on our gateway and on llama-server with as many slots;
"cluster" measures a pipeline of two workers with one thread each, against one worker with two threads and against
llama.cpp over two RPC servers with one thread each.

A round runs one program and then the other, in an order that changes from round to round. A round in which other
processes took more than 5% of the machine's processor time (/proc/stat, less what the programs under test used) is
discarded and repeated, up to three times as many rounds as were asked for; if they do not suffice, the quietest of the
discarded ones fill up, and the table says so. Medians over the rounds are printed; the ratio is that of the medians.
"""

import argparse
import json
import os
import pathlib
import signal
import sys

from comparison import engine, serving
from comparison.builds import Failure, LlamaBuilds, say
from comparison.measuring import summary

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ROWS = engine.ROWS + serving.ROWS


class Options(argparse.Namespace):
    """What was asked for on the command line."""

    @property
    def cache_arguments(self):
        return ["--cache-dir", self.cache_dir] if self.cache_dir else []

    def model_path(self, name):
        path = pathlib.Path(self.models) / name
        if not path.is_file():
            shape, kind = name.removesuffix(".gguf").rsplit("-", 1)
            raise Failure(f"{path} is missing; make it: phalanx synth --shape {shape} --type {kind} -o {path}")
        return str(path)


def table(results):
    """The results as a Markdown table."""
    lines = [
        "| measure | model | Phalanx | compared with | ratio | of limit | bar | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    forms = {"ratio": "{:g} x", "fraction_of_limit": "{:.0%}", "at_most": "at most {:g}"}
    for result in results:
        unit = "" if result["unit"] == "tokens/s" else f" {result['unit']}"
        bars = [forms[name].format(bar[0]) for name, bar in result["bars"].items() if bar[0] is not None]
        noise = f" ({result['noisy_rounds_counted']} noisy rounds)" if result["noisy_rounds_counted"] else ""
        lines.append("| {} | {} | {:.2f}{} | {} | {} | {} | {} | {} |".format(
            result["title"] + noise, result["model"].removesuffix(".gguf"), result["ours"], unit,
            f"{result['theirs']:.2f} ({result['sides'][1]})" if result["theirs"] else "-",
            f"{result['ratio']:.2f}" if result["ratio"] else "-",
            f"{result['fraction_of_limit']:.0%} of {result['limit']}" if result["fraction_of_limit"] else "-",
            ", ".join(bars) or "-", ("yes" if result["is_met"] else "no") if bars else "-"))
    return "\n".join(lines)


def machine(threads):
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"processor": names[0] if names else "unknown", "processors": os.cpu_count(), "threads": threads}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="models", help="folder of the GGUF files (default: models)")
    parser.add_argument("--serving-model", default=serving.MINI, metavar="NAME",
                        help="file in that folder for the suites serve and cluster (default: %(default)s)")
    parser.add_argument("--suite", choices=["engine", "serve", "cluster", "all"], help="measure the rows of a suite")
    parser.add_argument("--row", action="append", default=[], metavar="NAME",
                        help="measure this row; may be repeated: " + ", ".join(row.name for row in ROWS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="compute threads of both programs, except in the suite cluster (default: all processors)")
    parser.add_argument("--max-others", type=float, default=0.05, metavar="PART",
                        help="discard rounds in which others took more of the machine than this (default: 0.05)")
    parser.add_argument("--phalanx", default=str(REPOSITORY / ".build/release/phalanx"), help="our program")
    parser.add_argument("--cache-dir", help="passed on to our program")
    parser.add_argument("--build-dir", default=str(REPOSITORY / ".build/llama.cpp"),
                        help="where llama.cpp is built (default: .build/llama.cpp)")
    parser.add_argument("--llama-bin", help="bin folder of an existing build for this machine")
    parser.add_argument("--llama-avx2-bin", help="bin folder of an existing build with AVX2 at most")
    parser.add_argument("--llama-avxvnni-bin", help="bin folder of an existing build with AVX2 and AVX-VNNI at most")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured to this file")
    options = parser.parse_args(namespace=Options())
    names = {row.name for row in ROWS}
    for name in options.row:
        if name not in names:
            parser.error(f"there is no row {name}; rows are " + ", ".join(row.name for row in ROWS))
    if bool(options.suite) == bool(options.row):
        parser.error("give either --suite NAME or --row NAME")
    if not 1 <= options.rounds <= 100:
        parser.error("--rounds must be between 1 and 100")
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    return options


def main():
    options = parse()
    if not os.access(options.phalanx, os.X_OK):
        raise Failure(f"{options.phalanx} is missing; build it: swift build -c release --product phalanx")
    builds = LlamaBuilds(
        options.build_dir,
        {"native": options.llama_bin, "avx2": options.llama_avx2_bin, "avxvnni": options.llama_avxvnni_bin},
        options.threads)
    for row in serving.ROWS:
        row.model = options.serving_model
    rows = []
    for row in ROWS:
        if options.suite in ("all", row.suite) or row.name in options.row:
            reason = row.reason_to_skip(options)
            if reason:
                say(f"{row.name}: left out: {reason}")
            else:
                rows.append(row)
    # Everything is there before the first measurement.
    for row in rows:
        options.model_path(row.model)
        for build, tool in row.tools():
            builds.tool(build, tool)
    results = []
    for row in rows:
        results.append({**summary(row, row.sides(options, builds), options), "limit": row.limit})
        if options.json:
            report = {"machine": machine(options.threads), "rows": results}
            pathlib.Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except Failure as failure:
        say(f"error: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
