"""The schedule of faults: python3 -m unittest discover -s Tests/Reference/chaos"""

import unittest

import schedule

WORKERS = ("w1", "w2", "w3")


def make(seed, **settings):
    given = dict(workers=WORKERS, guests=("g1",), kinds=list(schedule.KINDS), proxied=("w2", "w3"))
    return schedule.make(seed, **{"seconds": 600, **given, **settings})


class ScheduleTests(unittest.TestCase):
    def test_a_seed_gives_the_same_faults_every_time(self):
        for seed in range(50):
            self.assertEqual([str(fault) for fault in make(seed)], [str(fault) for fault in make(seed)])
        self.assertNotEqual([str(fault) for fault in make(1)], [str(fault) for fault in make(2)])

    def test_the_faults_of_a_seed_stay_what_they_were(self):
        # Otherwise a seed in a report could not be replayed.
        first = [str(fault) for fault in make(7, seconds=30)][:3]
        self.assertEqual(first, FIRST_OF_SEED_7)

    def test_one_worker_stays_whole_at_every_moment(self):
        for seed in range(200):
            faults = [fault for fault in make(seed, interval=1.0) if fault.kind != "join"]
            for fault in faults:
                hit = {other.target for other in faults if other.at <= fault.at <= other.end}
                self.assertLess(len(hit), len(WORKERS), f"seed {seed}, {fault}")

    def test_a_worker_suffers_one_fault_at_a_time(self):
        for seed in range(200):
            ends = {}
            for fault in make(seed, interval=1.0):
                self.assertGreaterEqual(fault.at, ends.get(fault.target, 0), f"seed {seed}, {fault}")
                ends[fault.target] = fault.end

    def test_a_count_is_kept(self):
        for seed in range(50):
            faults = make(seed, kinds=["kill"], count=100)
            self.assertEqual(len(faults), 100)
            self.assertTrue(all(fault.kind == "kill" and 0 < fault.at < 605 for fault in faults), f"seed {seed}")

    def test_every_kind_comes_and_hits_what_it_can(self):
        faults = [fault for seed in range(20) for fault in make(seed)]
        self.assertEqual({fault.kind for fault in faults}, set(schedule.KINDS))
        for fault in faults:
            self.assertEqual(fault.target == "g1", fault.kind == "join")
            self.assertTrue(fault.kind != "corrupt" or fault.target in ("w2", "w3"))
            self.assertEqual(fault.kind == "oneway", "to" in fault.detail or "from" in fault.detail)
            self.assertNotIn(fault.target, fault.detail.values())

    def test_the_end_is_quiet(self):
        for seed in range(50):
            self.assertTrue(all(fault.at <= 595 for fault in make(seed)), f"seed {seed}")


FIRST_OF_SEED_7 = [
    "   2.28 s  stop     w2 for 8.58 s",
    "   3.10 s  restart  w1 for 0.02 s",
    "   8.36 s  restart  w1 for 0.07 s",
]

if __name__ == "__main__":
    unittest.main()
