"""A Beckhoff PLC that is not ours: pyads' test server, with the two arrays as named variables, which are at %M bytes 0 and 20
too, and a third that is too short."""

import logging
import socket
import struct
import time

from pyads import constants
from pyads.testserver import AdsTestServer
from pyads.testserver.advanced_handler import AdvancedHandler, PLCVariable

import memory

logging.disable(logging.CRITICAL)


def array(name, words, offset):
    kind = f"ARRAY [0..{words - 1}] OF WORD"
    return PLCVariable(name, bytes(2 * words), constants.ADST_UINT16, kind, 0x4020, offset)


handler = AdvancedHandler()
from_plc, to_plc = array("GVL_Plumb.FromPlc", 10, 0), array("GVL_Plumb.ToPlc", 10, 20)
for variable in (from_plc, to_plc, array("GVL_Plumb.Short", 4, 40)):
    handler.add_variable(variable)
port = memory.free_port()
server = AdsTestServer(handler=handler, ip_address="127.0.0.1", port=port, logging=False)
server.start()
while True:  # its thread listens when it comes to it
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.01)


def read_station():
    return struct.unpack("<10H", to_plc.value)


def write_plc(words):
    from_plc.value = struct.pack("<10H", *words)


def forget():
    from_plc.value = to_plc.value = bytes(20)


memory.open_door(port, read_station, write_plc, forget)
