"""Runs a cluster in network namespaces, each node a host of its own, lets faults happen and checks every answer.

A coordinator with its gateway and --workers workers serve the demo model, of which each can hold no more than a part:
when fewer than two are left, everything waits until one is back. First every request of the load is answered
once, undisturbed. Then --streams clients send such requests without a pause (chats and completions, streamed and whole,
greedy and seeded, with long prompts and long answers), while faults happen as --seed says. Every answer must equal the
undisturbed one, and none may fail or get lost: otherwise the exit status is 1.

faults (--only and --without take several, such as kill,stop):
  kill     kill -9 of a worker, which starts again later
  stop     SIGSTOP, and SIGCONT later
  cut      the link of a worker's host is down for a while
  oneway   what goes from one host to another vanishes; what comes from there arrives
  slow     a link of 0.5 to 20 Mbit/s for a while
  corrupt  single bits of what one stage sends to the next are flipped on the way
  restart  SIGTERM of a worker, which starts again when it has ended
  drain    phalanx drain of a worker, which starts again when it has ended; a refusal, since it is needed, is fine
  join     a worker that was not there joins, and leaves again (needs --spares)

  deploy/chaos --minutes 3 --seed 1
  deploy/chaos --minutes 3 --seed 1 --schedule            only print what would happen
  deploy/chaos --minutes 10 --only kill --faults 100 --streams 8
  deploy/chaos --minutes 2 --only kill --faults 20 --standing-spares 1 --streams 1 --long
  deploy/chaos --minutes 60 --seed 7 --secure             a soak; memory and descriptors are compared with minute 5

The same seed and flags give the same schedule again; what the faults meet depends on the machine's timing. Nodes speak
plain text, so that flipped bits reach the checksums, or mutual TLS with --secure. Needs network namespaces: root, or
user namespaces; where there are none the run is skipped, with exit status 0.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

import cluster
import hosts
import load
import report
import schedule

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
READY_SECONDS = 60
SAMPLE_SECONDS = 1.0


def parse():
    parser = argparse.ArgumentParser(
        prog="deploy/chaos", description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3, metavar="M", help="how long (default: 3)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="which faults, and when (default: 1)")
    parser.add_argument("--workers", type=int, default=3, metavar="N", help="workers of the pipeline (default: 3)")
    parser.add_argument("--standing-spares", type=int, default=0, metavar="N",
                        help="workers beyond them that run all the time, unharmed (default: 0)")
    parser.add_argument("--spares", type=int, default=1, metavar="N", help="workers that the fault join starts (default: 1)")
    parser.add_argument("--replicas", type=int, default=1, metavar="N",
                        help="pipelines (default: 1, so that a lost worker is felt)")
    parser.add_argument("--streams", type=int, default=8, metavar="K", help="requests at once (default: 8)")
    parser.add_argument("--long", action="store_true", help="only long streamed answers")
    parser.add_argument("--only", metavar="KINDS", help="only these faults")
    parser.add_argument("--without", metavar="KINDS", default="", help="not these faults")
    parser.add_argument("--faults", type=int, metavar="N", help="exactly so many faults, spread over the time")
    parser.add_argument("--interval", type=float, default=5, metavar="SECONDS", help="mean time between faults (default: 5)")
    parser.add_argument("--secure", action="store_true", help="mutual TLS between the nodes")
    parser.add_argument("--schedule", action="store_true", help="print the schedule and end")
    parser.add_argument("--phalanx", default=str(REPOSITORY / ".build/release/phalanx"), help="the program to run")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the nodes' logs there")
    parser.add_argument("--json", metavar="FILE", help="write the result to this file")
    options = parser.parse_args()
    for name, low, high in (("minutes", 0.1, 10_000), ("workers", 2, 32), ("spares", 0, 8), ("standing_spares", 0, 8),
                            ("replicas", 1, 8), ("streams", 1, 64), ("interval", 0.5, 3600)):
        if not low <= getattr(options, name) <= high:
            parser.error(f"--{name.replace('_', '-')} must be from {low} to {high}")
    if options.faults is not None and not 1 <= options.faults <= 10_000:
        parser.error("--faults must be from 1 to 10000")
    named = (options.only or "").split(",") + options.without.split(",")
    for kind in filter(None, named):
        if kind not in schedule.KINDS:
            parser.error(f"there is no fault {kind}; faults are " + ", ".join(schedule.KINDS))
    chosen = options.only.split(",") if options.only else list(schedule.KINDS)
    options.kinds = [kind for kind in chosen if kind not in options.without.split(",")]
    return options


class Run:
    """One run from the start of its nodes to the report."""

    def __init__(self, options, folder):
        self.options = options
        self.seconds = options.minutes * 60
        self.workers = [f"w{number}" for number in range(1, options.workers + 1)]
        self.standing = [f"s{number}" for number in range(1, options.standing_spares + 1)]
        self.guests = [f"g{number}" for number in range(1, options.spares + 1)]
        # The first worker stays without a proxy: so the way between stages is also the plain one.
        self.proxied = self.workers[1:] if "corrupt" in options.kinds else []
        self.folder = folder
        self.problems, self.happened, self.samples = [], [], {}
        self._lock = threading.Lock()

    def schedule(self):
        options = self.options
        return schedule.make(
            options.seed, self.seconds, self.workers, self.guests, options.kinds, options.interval, options.faults,
            proxied=self.proxied)

    def execute(self):
        options = self.options
        self.cluster = cluster.Cluster(
            options.phalanx, self.folder, self.workers, [*self.guests, *self.standing], options.secure,
            options.replicas, self.proxied)
        try:
            self.cluster.start()
            expected = load.undisturbed(self.cluster.address, options.streams)
            for name in self.standing:
                self.cluster.workers[name].start()
            self._wait_for([*self.workers, *self.standing], READY_SECONDS)
            self.load = load.Load(self.cluster.address, options.streams, options.seed, expected, options.long)
            self.began = time.monotonic()
            self.load.start()
            self._play(self.schedule())
            self._settle()
        finally:
            self.cluster.stop()
        return self._result()

    def _problem(self, text):
        with self._lock:
            self.problems.append(text)

    def _play(self, faults):
        threads = [threading.Thread(target=self._live, args=(fault,), daemon=True) for fault in faults]
        for thread in threads:
            thread.start()
        while (now := time.monotonic() - self.began) < self.seconds:
            self._sample(now)
            self._show(now, len(faults))
            time.sleep(SAMPLE_SECONDS)
        for thread in threads:
            thread.join()

    def _live(self, fault):
        """One fault, from its moment until it is undone."""
        time.sleep(max(0, self.began + fault.at - time.monotonic()))
        try:
            with self._lock:
                self.happened.append((fault, time.monotonic()))
            notes = [self.cluster.begin(fault)]
            time.sleep(fault.lasts)
            notes.append(self.cluster.undo(fault))
            for note in filter(None, notes):
                self._problem(note)
        except (hosts.Failure, OSError) as error:
            self._problem(f"{fault}: {error}")

    def _sample(self, now):
        for name, node in self.cluster.nodes.items():
            self.samples.setdefault(name, []).append((now, node.resources()))
            node.note_end()

    def _show(self, now, count):
        if sys.stderr.isatty():
            done = int(30 * now / self.seconds)
            print(f"\r[{'#' * done}{'.' * (30 - done)}] {now:5.0f} of {self.seconds:.0f} s, faults "
                  f"{len(self.happened)} of {count}, answers {len(self.load.answers)}, wrong {len(self.load.wrong)} ",
                  end="", file=sys.stderr, flush=True)

    def _wait_for(self, names, seconds):
        deadline = time.monotonic() + seconds
        while missing := set(names) - self.cluster.known_workers():
            if time.monotonic() > deadline:
                self._problem(f"not in the cluster after {seconds} s: {', '.join(sorted(missing))}")
                return
            time.sleep(0.2)

    def _settle(self):
        """Everything is whole again: the cluster must serve, know all its workers, and finish what runs."""
        if sys.stderr.isatty():
            print(file=sys.stderr)
        if not self.cluster.wait_until_ready(READY_SECONDS):
            self._problem(f"it does not serve {READY_SECONDS} s after the last fault: {self.cluster.reason()}")
        self.load.stop()
        self._wait_for([*self.workers, *self.standing], READY_SECONDS)

    def _result(self):
        answers, wrong = self.load.answers, self.load.wrong
        for answer in answers:
            if answer.problem:
                self._problem(f"{answer.ended - self.began:.2f} s, request {answer.request}, begun at "
                              f"{answer.began - self.began:.2f} s: {answer.problem}")
        for answer, (text, finish) in wrong:
            same = len(os.path.commonprefix([answer.text, text]))
            self._problem(
                f"{answer.ended - self.began:.2f} s, request {answer.request}: {answer.finish} instead of {finish}, "
                f"different from character {same} on: {answer.text[same:same + 60]!r} instead of {text[same:same + 60]!r}")
        for name, node in self.cluster.nodes.items():
            for status in node.unexpected_ends:
                self._problem(f"{name} ended by itself with status {status}")
        found = report.pauses_of(self.happened, answers)
        start = min(300, self.seconds / 3)
        moments = sorted(moment for _, moment in self.happened)
        quiet = [end - begin for answer in answers if len(answer.times) > 1 for begin, end in answer.gaps()
                 if not any(begin - 30 <= moment <= end for moment in moments)]
        return {
            "seed": self.options.seed, "minutes": self.options.minutes, "answers": len(answers), "wrong": len(wrong),
            "lost": sum((answer.problem or "").startswith("lost") for answer in answers),
            "failed": sum((answer.problem or "").startswith("failed") for answer in answers),
            "pieces": sum(len(answer.times) for answer in answers),
            "undisturbed_pause_seconds": round(max(quiet), 3) if quiet else None,
            "kinds": report.by_kind(found), "growth_from": start,
            "growth": report.growth(self.samples, start, self.seconds), "problems": self.problems,
        }


def main():
    options = parse()
    if options.schedule:
        print("\n".join(map(str, Run(options, None).schedule())))
        return 0
    if hosts.INSIDE not in os.environ:
        if not os.access(options.phalanx, os.X_OK):
            print(f"error: {options.phalanx} is missing; build it: swift build -c release --product phalanx",
                  file=sys.stderr)
            return 1
        reason = hosts.reason_to_skip()
        if reason:
            print(f"chaos: skipped: {reason}")
            return 0
    hosts.enter()
    folder = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="phalanx-chaos-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    again = " ".join(argument for argument in sys.argv[1:])
    print(f"chaos: {options.minutes:g} minutes, seed {options.seed}; to replay: deploy/chaos {again}", flush=True)
    try:
        result = Run(options, folder).execute()
    except hosts.Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    print(report.text(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    is_good = not result["problems"]
    if is_good and not options.keep:
        shutil.rmtree(folder)
    else:
        print(f"The nodes' logs are in {folder}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
