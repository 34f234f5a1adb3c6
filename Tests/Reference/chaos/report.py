"""What a run came to."""

import statistics

# A fault shows in a stream when the stream waits within this time after it.
SHOWS_WITHIN_SECONDS = 1.0


def pauses_of(faults, answers):
    """For every (fault, moment): the longest wait of each stream that ran then, in seconds."""
    found = []
    for fault, moment in faults:
        waits = []
        for answer in answers:
            if len(answer.times) < 2 or answer.began > moment or answer.ended < moment:
                continue
            waits.append(max(end - begin for begin, end in answer.gaps()
                             if begin <= moment + SHOWS_WITHIN_SECONDS and end >= moment))
        found.append((fault, waits))
    return found


def seconds(values):
    return {"median": round(statistics.median(values), 3), "worst": round(max(values), 3)} if values else None


def by_kind(found):
    """Per kind of fault: how many, how many streams ran then, their pauses, and the time until all went on."""
    kinds = {}
    for kind in sorted({fault.kind for fault, _ in found}):
        waits = [waits for fault, waits in found if fault.kind == kind]
        kinds[kind] = {
            "faults": len(waits), "streams": sum(map(len, waits)),
            "pause_seconds": seconds([wait for each in waits for wait in each]),
            "recovery_seconds": seconds([max(each) for each in waits if each]),
        }
    return kinds


def growth(samples, start, end):
    """Per process: resident MiB and descriptors around two moments (medians over 30 seconds)."""
    rows = {}
    for name, series in samples.items():
        def around(moment):
            near = [value for at, value in series if value and abs(at - moment) <= 15]
            if not near:
                return None
            return (round(statistics.median(each[0] for each in near) / 2**20, 1),
                    round(statistics.median(each[1] for each in near)))
        early, late = around(start), around(end - 15)
        if early and late:
            rows[name] = {"mebibytes": [early[0], late[0]], "descriptors": [early[1], late[1]]}
    return rows


def text(result):
    """The report that a person reads."""
    lines = [
        f"answers {result['answers']}, wrong {result['wrong']}, lost {result['lost']}, failed {result['failed']}",
        f"pieces of answers {result['pieces']}; longest wait of a stream without a fault nearby "
        f"{result['undisturbed_pause_seconds']} s",
        "",
        f"{'fault':10} {'times':>5} {'streams':>8} {'pause median':>13} {'worst':>8} {'recovery median':>16} {'worst':>8}",
    ]
    for kind, row in result["kinds"].items():
        pause, recovery = (row[name] or {"median": "-", "worst": "-"} for name in ("pause_seconds", "recovery_seconds"))
        lines.append(f"{kind:10} {row['faults']:5} {row['streams']:8} {pause['median']:>13} {pause['worst']:>8} "
                     f"{recovery['median']:>16} {recovery['worst']:>8}")
    if result["growth"]:
        lines += ["", f"{'process':12} {'MiB':>8} {'later':>8} {'descriptors':>12} {'later':>6}   "
                      f"(at {result['growth_from']:.0f} s and at the end)"]
        for name, row in result["growth"].items():
            lines.append(f"{name:12} {row['mebibytes'][0]:8} {row['mebibytes'][1]:8} "
                         f"{row['descriptors'][0]:12} {row['descriptors'][1]:6}")
    lines += [""] + [f"problem: {problem}" for problem in result["problems"]]
    return "\n".join(lines)
