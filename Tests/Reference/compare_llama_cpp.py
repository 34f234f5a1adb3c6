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

A round runs one program and then the other, in an order that changes from round to round. A round in which other
processes took more than 5% of the machine's processor time (/proc/stat, less what the program under test used) is
discarded and repeated, up to three times as many rounds as were asked for; if they do not suffice, the quietest of the
discarded ones fill up, and the table says so. Medians over the rounds are printed; the ratio is that of the medians.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field

PACKAGE = "llama_cpp_python==0.3.36"
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

COMMON_FLAGS = [
    "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGGML_OPENMP=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_UI=OFF",
]
AVX2_FLAGS = ["-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON", "-DGGML_BMI2=ON"]
# How each build is configured, and which tools it needs.
BUILDS = {
    "native": (["-DGGML_NATIVE=ON"], ["llama-bench", "llama-batched-bench"]),
    "avx2": (AVX2_FLAGS, ["llama-bench"]),
    "avxvnni": (AVX2_FLAGS + ["-DGGML_AVX_VNNI=ON"], ["llama-bench"]),
}


@dataclass
class Row:
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
    # (at least, reach for): ratios to llama.cpp, parts of the machine's limit; seconds for "load".
    ratio_bars: tuple = (None, None)
    limit_bars: tuple = (None, None)
    seconds_bars: tuple = (None, None)


def llama_bench(*arguments):
    return ["llama-bench", "-r", "1", "-o", "json", *arguments]


PREFILL = dict(ours=["-p", "512", "-n", "0"], value="prefill", theirs=[llama_bench("-p", "512", "-n", "0")])
MEDIUM = "phi-3-medium-Q4_K_M.gguf"
MINI = "phi-3-mini-{}.gguf"

ROWS = [
    Row("prefill-medium", "prefill, 512 tokens", MEDIUM, ratio_bars=(2.2, None), limit_bars=(0.65, 0.80), **PREFILL),
    Row(
        "decode-medium", "decode, 1 stream, empty context", MEDIUM, ["-p", "0", "-n", "64"], "decode",
        theirs=[llama_bench("-p", "0", "-n", "64")], ratio_bars=(1.25, 1.45), limit_bars=(0.85, 0.95),
    ),
    Row(
        "decode-mini-8-streams", "decode, 8 streams", MINI.format("Q4_0"),
        ["-p", "0", "-n", "64", "--depth", "16", "--streams", "8"], "decode",
        theirs=[
            ["llama-batched-bench", "-c", "1024", "-npp", "16", "-ntg", "64", "-npl", "8", "--output-format", "jsonl"]
        ],
        ratio_bars=(2.2, 3.0),
    ),
    Row(
        "decode-mini-3500", "decode, 1 stream at 3,500 tokens", MINI.format("Q4_0"),
        ["-p", "0", "-n", "32", "--depth", "3500"], "decode",
        theirs=[llama_bench("-p", "0", "-n", "32", "-d", "3500", "-fa", setting) for setting in ("off", "on")],
        ratio_bars=(2.0, 2.6),
    ),
    Row("prefill-mini-q4_0", "prefill, 512 tokens", MINI.format("Q4_0"), ratio_bars=(1.5, 2.0), **PREFILL),
    Row("prefill-mini-q8_0", "prefill, 512 tokens", MINI.format("Q8_0"), ratio_bars=(1.5, 2.0), **PREFILL),
    Row("prefill-mini-f16", "prefill, 512 tokens", MINI.format("F16"), ratio_bars=(1.3, 1.6), **PREFILL),
    Row(
        "prefill-avx2", "prefill, 512 tokens, AVX2 only", MEDIUM, build="avx2", isa="avx2", ratio_bars=(1.2, 1.5),
        **PREFILL,
    ),
    Row(
        "prefill-avxvnni", "prefill, 512 tokens, AVX2 with VNNI", MEDIUM, build="avxvnni", isa="avxvnni",
        needs_flag="avx_vnni", ratio_bars=(1.2, 1.5), **PREFILL,
    ),
    Row(
        "start-medium", "start to ready, packed cache", MEDIUM, ["-p", "0", "-n", "1"], "load", build="",
        seconds_bars=(5.0, 2.0),
    ),
]


class Failure(Exception):
    """Something that the user can mend."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- llama.cpp ------------------------------------------------------------------------------------------------------


class LlamaBuilds:
    """Where llama.cpp's tools are; builds what is missing."""

    def __init__(self, folder, given, jobs):
        self.folder = pathlib.Path(folder)
        self.given = given
        self.jobs = jobs

    def tool(self, build, name):
        given = self.given.get(build)
        path = pathlib.Path(given) if given else self.folder / build / "bin"
        if not (path / name).is_file():
            if given:
                raise Failure(f"{path} holds no {name}; name the bin folder of another build, or none to build one")
            self.make(build)
            if not (path / name).is_file():
                raise Failure(f"building llama.cpp made no {path / name}; see {self.folder / build}.log")
        return str(path / name)

    def make(self, build):
        for program, package in (("cmake", "cmake"), ("ninja", "ninja-build")):
            if not shutil.which(program):
                raise Failure(f"{program} is needed to build llama.cpp: apt-get install {package}")
        flags, tools = BUILDS[build]
        target = self.folder / build
        say(f"Building llama.cpp ({build}) in {target}; this takes a while")
        command = ["cmake", "-S", str(self.source()), "-B", str(target), *COMMON_FLAGS, *flags]
        self.run_quietly(command, target)
        self.run_quietly(["cmake", "--build", str(target), "-j", str(self.jobs), "--target", *tools], target)

    def source(self):
        """The source of llama.cpp, unpacked from the package."""
        folders = sorted(self.folder.glob("llama_cpp_python-*/vendor/llama.cpp"))
        if folders:
            return folders[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        say(f"Fetching the source package of {PACKAGE}")
        self.run_quietly(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama_cpp_python",
             "--dest", str(self.folder), PACKAGE], self.folder)
        archives = sorted(self.folder.glob("llama_cpp_python-*.tar.gz"))
        if not archives:
            raise Failure(f"pip left no source package in {self.folder}")
        with tarfile.open(archives[0]) as archive:
            root = self.folder.resolve()
            for member in archive.getmembers():
                if not (root / member.name).resolve().is_relative_to(root) or member.isdev():
                    raise Failure(f"{archives[0]}: {member.name} would lie outside the folder")
            archive.extractall(self.folder)
        return sorted(self.folder.glob("llama_cpp_python-*/vendor/llama.cpp"))[0]

    @staticmethod
    def run_quietly(command, folder):
        """Runs a command; its output goes to a file beside what it makes, and is shown when it fails."""
        log = folder.parent / f"{folder.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as output:
            status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
        if status != 0:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise Failure(f"{' '.join(command)} failed; the end of {log}:\n{tail}")


# ---- Running and timing ---------------------------------------------------------------------------------------------


def processor_seconds():
    """(all, busy) processor seconds of the machine since it was started; stolen time counts as busy."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    per_second = os.sysconf("SC_CLK_TCK")
    return sum(ticks) / per_second, (sum(ticks) - ticks[3] - ticks[4]) / per_second


@dataclass
class Run:
    """What a program printed, and which part of the machine others took while it ran."""

    output: str
    others: float


def run(command, environment=None):
    total, busy = processor_seconds()
    own = os.times()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    try:
        output, errors = process.communicate()
    finally:
        # Whatever interrupts this script ends its child, too.
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with {process.returncode}:\n{errors[-2000:]}")
    later_total, later_busy = processor_seconds()
    now = os.times()
    # This script's own time and that of the child, which has been waited for.
    used = sum(now[:4]) - sum(own[:4])
    others = (later_busy - busy - used) / max(later_total - total, 1e-9)
    return Run(output, min(max(others, 0.0), 1.0))


@dataclass
class Sample:
    """One run of one side."""

    value: float  # tokens per second; seconds for loading
    others: float
    fraction: float = None  # of the machine's limit
    detail: dict = None


def last_json_line(text):
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Failure(f"no JSON came from the benchmark:\n{text[-2000:]}")
    return json.loads(lines[-1])


def run_theirs(command, tools, build, model, threads):
    tool = tools.tool(build, command[0])
    done = run([tool, "-m", model, "-t", str(threads), *command[1:]])
    if command[0] == "llama-bench":
        results = json.loads(done.output)
        return Sample(results[-1]["avg_ts"], done.others, detail={"commit": results[-1].get("build_commit")})
    return Sample(last_json_line(done.output)["speed_tg"], done.others)


def run_ours(row, phalanx, model, threads, extra):
    command = [phalanx, "bench", "model", "--model", model, "--threads", str(threads), "--repeat", "1", "--json"]
    done = run(command + row.ours + extra, {"PHALANX_ISA": row.isa} if row.isa else None)
    result = last_json_line(done.output)
    detail = {"limits": result["limits"], "isa": result["isa"], "load_seconds": result["load_seconds"]}
    if row.value == "prefill":
        return Sample(
            result["prefill_tokens_per_second"], done.others, result["prefill_fraction_of_int8_peak"], detail)
    if row.value == "decode":
        entry = result["decode"][-1]
        return Sample(entry["tokens_per_second"], done.others, entry["fraction_of_bandwidth"], detail)
    return Sample(result["load_seconds"], done.others, detail=detail)


# ---- Rows -----------------------------------------------------------------------------------------------------------


class Comparison:
    def __init__(self, options, tools):
        self.options = options
        self.tools = tools

    def model(self, row):
        path = pathlib.Path(self.options.models) / row.model
        if not path.is_file():
            shape, kind = row.model.removesuffix(".gguf").rsplit("-", 1)
            raise Failure(f"{path} is missing; make it: phalanx synth --shape {shape} --type {kind} -o {path}")
        return str(path)

    def measure(self, row):
        """The rounds of a row that count, and how many were discarded."""
        model = self.model(row)
        commands = list(row.theirs)
        if row.value == "load":
            say(f"{row.name}: filling the cache")
            run_ours(row, self.options.phalanx, model, self.options.threads, self.options.phalanx_arguments)
        kept, noisy = [], []
        for attempt in range(3 * self.options.rounds):
            if len(kept) == self.options.rounds:
                break
            sides = ["theirs", "ours"] if attempt % 2 == 0 else ["ours", "theirs"]
            entry = {}
            for side in sides:
                if side == "theirs" and not commands:
                    continue
                say(f"{row.name}, round {len(kept) + 1} of {self.options.rounds}: running "
                    + ("phalanx" if side == "ours" else commands[0][0]))
                if side == "ours":
                    entry[side] = run_ours(
                        row, self.options.phalanx, model, self.options.threads, self.options.phalanx_arguments)
                else:
                    samples = [
                        run_theirs(command, self.tools, row.build, model, self.options.threads) for command in commands
                    ]
                    best = max(range(len(samples)), key=lambda index: samples[index].value)
                    # Only the better setting takes part in later rounds.
                    commands = [commands[best]]
                    entry[side] = samples[best]
            worst = max(sample.others for sample in entry.values())
            is_quiet = worst <= self.options.max_others
            (kept if is_quiet else noisy).append(entry)
            values = ", ".join(f"{side} {entry[side].value:.2f}" for side in sorted(entry))
            say(f"{row.name}: {values}; others took {worst:.0%}{'' if is_quiet else ', discarded'}")
        filled = self.options.rounds - len(kept)
        if filled > 0:
            noisy.sort(key=lambda entry: max(sample.others for sample in entry.values()))
            kept += noisy[:filled]
        return kept, len(noisy), max(filled, 0), commands[0] if commands else None

    def row(self, row):
        rounds, discarded, filled, command = self.measure(row)
        ours = [entry["ours"] for entry in rounds]
        theirs = [entry["theirs"] for entry in rounds if "theirs" in entry]
        fractions = [sample.fraction for sample in ours if sample.fraction is not None]
        result = {
            "row": row.name, "title": row.title, "model": row.model, "isa": ours[0].detail["isa"],
            "unit": "seconds" if row.value == "load" else "tokens/s",
            "ours": statistics.median(sample.value for sample in ours),
            "theirs": statistics.median(sample.value for sample in theirs) if theirs else None,
            "fraction_of_limit": statistics.median(fractions) if fractions else None,
            "limit": {"prefill": "int8 peak", "decode": "read bandwidth", "load": None}[row.value],
            "llama_cpp": {"build": row.build, "command": command, "commit": (theirs[0].detail or {}).get("commit")}
            if theirs else None,
            "rounds": [
                {side: {"value": sample.value, "others": sample.others, "fraction": sample.fraction,
                        "detail": sample.detail} for side, sample in entry.items()}
                for entry in rounds
            ],
            "discarded_rounds": discarded, "noisy_rounds_counted": filled,
        }
        result["ratio"] = result["ours"] / result["theirs"] if result["theirs"] else None
        result["bars"] = {
            "ratio": row.ratio_bars, "fraction_of_limit": row.limit_bars, "seconds": row.seconds_bars,
        }
        result["is_met"] = all(
            bar is None or value is not None and (value <= bar if is_time else value >= bar)
            for value, bar, is_time in [
                (result["ratio"], row.ratio_bars[0], False),
                (result["fraction_of_limit"], row.limit_bars[0], False),
                (result["ours"], row.seconds_bars[0], True),
            ])
        return result


def table(results):
    """The results as a Markdown table."""
    lines = [
        "| measure | model | Phalanx | llama.cpp | ratio | of limit | bar | met |", "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        unit = " s" if result["unit"] == "seconds" else ""
        bars = []
        for key, form in (("ratio", "{:g} x"), ("fraction_of_limit", "{:.0%}"), ("seconds", "{:g} s")):
            if result["bars"][key][0] is not None:
                bars.append(form.format(result["bars"][key][0]))
        noise = f" ({result['noisy_rounds_counted']} noisy rounds)" if result["noisy_rounds_counted"] else ""
        lines.append("| {} | {} | {:.2f}{} | {} | {} | {} | {} | {} |".format(
            result["title"] + noise, result["model"].removesuffix(".gguf"), result["ours"], unit,
            f"{result['theirs']:.2f}" if result["theirs"] else "-",
            f"{result['ratio']:.2f}" if result["ratio"] else "-",
            f"{result['fraction_of_limit']:.0%} of {result['limit']}" if result["fraction_of_limit"] else "-",
            ", ".join(bars), "yes" if result["is_met"] else "no"))
    return "\n".join(lines)


def machine(threads):
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"processor": names[0] if names else "unknown", "processors": os.cpu_count(), "threads": threads}


def reason_to_skip(row, phalanx):
    """Why a row cannot be measured here; None when it can."""
    if row.needs_flag and not has_processor_flag(row.needs_flag):
        return f"this machine has no {row.needs_flag}"
    if row.isa:
        check = subprocess.run(
            [phalanx, "--version"], env={**os.environ, "PHALANX_ISA": row.isa}, capture_output=True, text=True)
        if check.returncode != 0:
            return check.stderr.strip()
    return None


def has_processor_flag(flag):
    flags = [line.split() for line in open("/proc/cpuinfo") if line.startswith("flags")]
    return bool(flags) and flag in flags[0]


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="models", help="folder of the GGUF files (default: models)")
    parser.add_argument("--suite", choices=["all"], help="measure every row")
    parser.add_argument("--row", action="append", default=[], metavar="NAME",
                        help="measure this row; may be repeated: " + ", ".join(row.name for row in ROWS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="compute threads of both programs (default: all processors)")
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
    options = parser.parse_args()
    names = {row.name for row in ROWS}
    for name in options.row:
        if name not in names:
            parser.error(f"there is no row {name}; rows are " + ", ".join(row.name for row in ROWS))
    if bool(options.suite) == bool(options.row):
        parser.error("give either --suite all or --row NAME")
    if not 1 <= options.rounds <= 100:
        parser.error("--rounds must be between 1 and 100")
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    return options


def main():
    options = parse()
    options.phalanx_arguments = ["--cache-dir", options.cache_dir] if options.cache_dir else []
    if not os.access(options.phalanx, os.X_OK):
        raise Failure(f"{options.phalanx} is missing; build it: swift build -c release --product phalanx")
    tools = LlamaBuilds(
        options.build_dir,
        {"native": options.llama_bin, "avx2": options.llama_avx2_bin, "avxvnni": options.llama_avxvnni_bin},
        options.threads)
    comparison = Comparison(options, tools)
    rows = []
    for row in ROWS:
        if options.suite or row.name in options.row:
            reason = reason_to_skip(row, options.phalanx)
            if reason:
                say(f"{row.name}: left out: {reason}")
            else:
                rows.append(row)
    # Everything is there before the first measurement.
    for row in rows:
        comparison.model(row)
        for command in row.theirs:
            tools.tool(row.build, command[0])
    results = []
    for row in rows:
        results.append(comparison.row(row))
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
