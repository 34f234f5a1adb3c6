"""Which fault happens when: drawn from a seed, and the same for the same seed and settings on every machine."""

import random
from dataclasses import dataclass, field

# What can happen, with the shortest and longest time in seconds until it is undone.
KINDS = {
    "kill": (0.5, 4),  # SIGKILL; started again afterwards
    "stop": (1, 9),  # SIGSTOP, then SIGCONT
    "cut": (1, 9),  # the link is down
    "oneway": (2, 9),  # what goes from one host to another vanishes, what comes from there arrives
    "slow": (2, 8),  # the link carries little
    "corrupt": (1, 4),  # bits of what the previous stage sends are flipped on the way
    "restart": (0, 0.5),  # SIGTERM; started again after it has ended
    "drain": (0, 0.5),  # `phalanx drain`; started again after it has ended
    "join": (4, 12),  # a host that was not there; ended with SIGTERM afterwards
}


@dataclass(frozen=True)
class Fault:
    """One fault: at `at` seconds, undone `lasts` seconds later."""

    at: float
    kind: str
    target: str
    lasts: float
    detail: dict = field(default_factory=dict, compare=False)

    @property
    def end(self):
        return self.at + self.lasts

    def __str__(self):
        detail = "".join(f" {name} {value}" for name, value in self.detail.items())
        return f"{self.at:7.2f} s  {self.kind:8} {self.target}{detail} for {self.lasts:.2f} s"


def make(seed, seconds, workers, guests, kinds, interval=5.0, count=None, impaired=2, proxied=(), settle=5.0):
    """The faults of a run of `seconds`, in order.

    workers: names of those that run from the beginning; guests: names of those that `join` starts.
    interval: mean seconds between faults. count: exactly so many, spread over the time, instead.
    impaired: the most workers that suffer at once; one stays whole in any case.
    proxied: names of workers whose frames `corrupt` can reach. settle: seconds without new faults at the end.
    """
    rng = random.Random(seed)
    usable = [kind for kind in kinds if (kind != "corrupt" or proxied) and (kind != "join" or guests)]
    if not usable:
        return []
    end = max(0.0, seconds - settle)
    if count is not None:
        times = sorted(rng.uniform(0.5, max(0.5, end)) for _ in range(count))
    else:
        times, now = [], rng.uniform(0.5, 1 + interval)
        while now < end:
            times.append(now)
            now += max(0.2, rng.expovariate(1 / interval))
    limit = max(1, min(impaired, len(workers) - 1))
    # A worker that was hit is left alone for a moment afterwards: it has to join again.
    busy = {name: 0.0 for name in (*workers, *guests)}
    faults = []
    for now in times:
        kind = rng.choice(usable)
        pool = guests if kind == "join" else [name for name in workers if kind != "corrupt" or name in proxied]
        lasts = round(rng.uniform(*KINDS[kind]), 2)
        draw, other, rate = rng.random(), rng.random(), round(rng.uniform(0.5, 20), 1)
        if kind != "join":
            # A count is kept: when everybody is busy, the fault waits for the first that is free again.
            free_at = sorted(busy[name] for name in workers)
            if len(workers) - sum(1 for time in free_at if time <= now) >= limit:
                if count is None:
                    continue
                now = max(now, free_at[-limit])
        free = [name for name in pool if busy[name] <= now]
        if not free:
            if count is None:
                continue
            now = min(busy[name] for name in pool)
            free = [name for name in pool if busy[name] <= now]
        target = free[int(draw * len(free))]
        detail = {}
        if kind == "oneway":
            others = ["coordinator"] + [name for name in workers if name != target]
            # Half of them between it and the coordinator, the others between it and another worker.
            end_point = others[0] if other < 0.5 else others[1 + int((other - 0.5) * 2 * (len(others) - 1))]
            detail["to" if rate < 10 else "from"] = end_point
        if kind == "slow":
            detail["mbit"] = rate
        busy[target] = now + lasts + 1.0
        faults.append(Fault(round(now, 2), kind, target, lasts, detail))
    return sorted(faults, key=lambda fault: fault.at)
