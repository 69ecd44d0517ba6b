"""A Siemens CPU that is not ours: python-snap7's server, with the block in DB100 from byte 0 and a DB101 that is too short."""

import logging
import struct

import snap7
from snap7.server import Server
from snap7.type import SrvArea

import memory

logging.disable(logging.CRITICAL)

db = bytearray(40)
server = Server(log=False)
server.host = "127.0.0.1"
server.register_area(SrvArea.DB, 100, db)
server.register_area(SrvArea.DB, 101, bytearray(30))
# The server copies what it is given where it is no bytearray; work on what it holds.
held = next(data for (_, index), data in server.memory_areas.items() if index == 100)
port = memory.free_port()
server.start(port)


def read_station():
    return struct.unpack(">10H", held[20:40])


def write_plc(words):
    held[0:20] = struct.pack(">10H", *words)


def forget():
    held[0:40] = bytes(40)


memory.open_door(port, read_station, write_plc, forget)
