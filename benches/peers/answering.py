"""A peer's side of a bench: a number comes in on stdin, one JSON line goes out with what one of so many times took.

The bench starts its peers beside itself and lets them take turns, so that what else the machine does touches all.
"""

import json
import sys
import time


class Clock:
    """Wall and CPU time from now on; CPU time of all threads of this process."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def each(self, times):
        """What one of `times` took since, in ms."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {"wall_ms": wall * 1e3 / times, "cpu_ms": cpu * 1e3 / times}


def orders():
    """The numbers that come in, until the bench closes the pipe."""
    for line in sys.stdin:
        yield int(line)


def answer(taken):
    print(json.dumps(taken), flush=True)


def take_turns(work):
    """Does `work(i)` as many times as it is told to."""
    for times in orders():
        clock = Clock()
        for i in range(times):
            work(i)
        answer(clock.each(times))
