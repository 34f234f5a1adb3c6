"""Rounds in which one side runs and then the other, and how much of the machine others took meanwhile."""

import json
import os
import pathlib
import statistics
import subprocess
from dataclasses import dataclass, field

from .builds import Failure, say


@dataclass
class Sample:
    """One run of one side."""

    value: float  # in the row's unit
    others: float  # the part of the machine that others took
    fraction: float = None  # of the machine's limit
    detail: dict = field(default_factory=dict)


@dataclass
class Run:
    """What a program printed, and which part of the machine others took while it ran."""

    output: str
    others: float


def processor_seconds():
    """(all, busy) processor seconds of the machine since it was started; stolen time counts as busy."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    per_second = os.sysconf("SC_CLK_TCK")
    return sum(ticks) / per_second, (sum(ticks) - ticks[3] - ticks[4]) / per_second


def tree_seconds(roots):
    """Processor seconds that these processes and their living descendants have used so far."""
    parents, seconds = {}, {}
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(words[1])
        seconds[int(folder.name)] = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def belongs(process):
        while process in parents:
            if process in roots:
                return True
            process = parents[process]
        return False

    return sum(used for process, used in seconds.items() if belongs(process))


def run(command, environment=None, servers=()):
    """Runs a program to its end. What `servers` (process ids) and their descendants use is not counted as others'."""
    total, busy = processor_seconds()
    own, served = os.times(), tree_seconds(servers)
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
    used = sum(now[:4]) - sum(own[:4]) + tree_seconds(servers) - served
    others = (later_busy - busy - used) / max(later_total - total, 1e-9)
    return Run(output, min(max(others, 0.0), 1.0))


def last_json_line(text):
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Failure(f"no JSON came from the benchmark:\n{text[-2000:]}")
    return json.loads(lines[-1])


def rounds(name, sides, options):
    """Measures the sides (names to functions that return a Sample) in turns.

    Returns the rounds that count, how many were discarded, and how many of those fill up because too few were quiet.
    """
    kept, noisy = [], []
    for attempt in range(3 * options.rounds):
        if len(kept) == options.rounds:
            break
        order = list(sides) if attempt % 2 else list(reversed(sides))
        entry = {}
        for side in order:
            say(f"{name}, round {len(kept) + 1} of {options.rounds}: running {side}")
            entry[side] = sides[side]()
        worst = max(sample.others for sample in entry.values())
        is_quiet = worst <= options.max_others
        (kept if is_quiet else noisy).append(entry)
        values = ", ".join(f"{side} {entry[side].value:.2f}" for side in sides)
        say(f"{name}: {values}; others took {worst:.0%}{'' if is_quiet else ', discarded'}")
    filled = options.rounds - len(kept)
    if filled > 0:
        noisy.sort(key=lambda entry: max(sample.others for sample in entry.values()))
        kept += noisy[:filled]
    return kept, len(noisy), max(filled, 0)


def summary(row, sides, options):
    """What is reported of a row: medians over the rounds, the ratio of the medians, and the bars."""
    entries, discarded, filled = rounds(row.name, sides, options)
    names = list(sides)

    def median(side, member="value"):
        values = [getattr(entry[side], member) for entry in entries]
        values = [value for value in values if value is not None]
        return statistics.median(values) if values else None

    ours = median(names[0])
    theirs = median(names[1]) if len(names) > 1 else None
    result = {
        "row": row.name, "title": row.title, "model": row.model, "unit": row.unit, "sides": names,
        "ours": ours, "theirs": theirs, "ratio": ours / theirs if theirs else None,
        "fraction_of_limit": median(names[0], "fraction"),
        "rounds": [
            {side: {"value": sample.value, "others": sample.others, "fraction": sample.fraction,
                    "detail": sample.detail} for side, sample in entry.items()}
            for entry in entries
        ],
        "discarded_rounds": discarded, "noisy_rounds_counted": filled, "bars": row.bars,
    }
    result["is_met"] = all(is_met(result, *bar) for bar in row.bars.items())
    return result


def is_met(result, bar, limits):
    """Whether a row reaches a bar. A bar is (what it must reach, what to reach for); either may be None."""
    value, is_ceiling = {
        "ratio": (result["ratio"], False), "fraction_of_limit": (result["fraction_of_limit"], False),
        "at_most": (result["ours"], True),
    }[bar]
    if limits[0] is None:
        return True
    return value is not None and (value <= limits[0] if is_ceiling else value >= limits[0])
