"""A line's PLC in sixty lines, written from the contract alone: it shares no code with Plumb.

Its rule: a part is released only for ResultsValid, an untorn block, its own part id, code PASS and a station
heartbeat that moved within 300 ms, all before the part is at the gate. Everything else is a reject.
"""

import json
import sys

ENABLE, TRIGGER, BUFFER, ACK, RUNNING = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 6
ONLINE, READY, TRIGGER_ACK, VALID = 1 << 0, 1 << 1, 1 << 2, 1 << 7
PASS = 0x5AA5


def say(**what):
    print(json.dumps(what), flush=True)


class Program:
    """`scan` is called every few ms with words 10-19 and gives words 0-9. Times are ms."""

    def __init__(self, edges_ms, gate_ms):
        self.todo = [(at, number + 1) for number, at in enumerate(edges_ms)]
        self.gate_ms = gate_ms
        self.slots = []  # [part, edge, state, code]: born, up, tracked, released, rejected
        self.control = ENABLE | BUFFER | RUNNING
        self.part = self.encoder = self.beat = 0
        self.raised = None
        self.heart, self.heart_ms = None, None
        self.started_ms = None

    def done(self):
        return not self.todo and not self.slots and self.started_ms is not None

    def scan(self, now, words):
        torn = words[9] != words[3]
        status = 0 if torn else words[0]
        if not torn and words[1] != self.heart:
            self.heart_ms = now if self.heart is not None else None
            self.heart = words[1]
        alive = self.heart_ms is not None and now - self.heart_ms < 300
        if not alive:
            status = 0
            for slot in self.slots:
                slot[2] = "rejected"
        if self.started_ms is None and alive and status & ONLINE and status & READY:
            self.started_ms = now
        if self.started_ms is not None:
            while self.todo and now - self.started_ms >= self.todo[0][0]:
                self.slots.append([self.todo.pop(0)[1], now, "born", None])
        self.drive_trigger(now, status)
        if status & VALID:
            part, code = words[2] << 16 | words[3], words[4]
            for slot in self.slots:
                if slot[0] == part and slot[2] == "tracked":
                    slot[2], slot[3] = ("released" if code == PASS else "rejected"), code
            self.control |= ACK
        else:
            self.control &= ~ACK
        while self.slots and now - self.slots[0][1] >= self.gate_ms:
            part, _, state, code = self.slots.pop(0)
            say(part=part, release=state == "released" and alive, code=code, alive=alive)
        self.beat = int(now // 100) & 0xFFFF
        part, encoder = self.part, self.encoder
        return [self.control, self.beat, part >> 16, part & 0xFFFF, encoder >> 16, encoder & 0xFFFF, 1, 0, 0, 0]

    def drive_trigger(self, now, status):
        if self.control & TRIGGER:
            if status & TRIGGER_ACK or now - self.raised > 200:
                for slot in self.slots:
                    if slot[0] == self.part and slot[2] == "up":
                        slot[2] = "tracked" if status & TRIGGER_ACK else "rejected"
                self.control &= ~TRIGGER
        elif status & READY and not status & TRIGGER_ACK:
            for slot in self.slots:
                if slot[2] == "born":
                    slot[2] = "up"
                    self.part, self.encoder, self.raised = slot[0], int(slot[1]) & 0xFFFFFFFF, now
                    self.control |= TRIGGER
                    break


def from_arguments():
    """argv: edges in ms as "0,100,200", time to the gate in ms."""
    return Program([int(at) for at in sys.argv[1].split(",")], int(sys.argv[2]))
