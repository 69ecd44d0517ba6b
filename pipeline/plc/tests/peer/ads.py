"""A Beckhoff PLC that is not ours: pyads' test server, with the two arrays as named variables, one of them once more too
short and once under a name that does not exist."""

import logging
import struct

from pyads import constants
from pyads.testserver import AdsTestServer
from pyads.testserver.advanced_handler import AdvancedHandler, PLCVariable

import memory

logging.disable(logging.CRITICAL)


def array(name, words):
    return PLCVariable(name, bytes(2 * words), constants.ADST_UINT16, f"ARRAY [0..{words - 1}] OF WORD")


handler = AdvancedHandler()
from_plc, to_plc, short = array("GVL_Plumb.FromPlc", 10), array("GVL_Plumb.ToPlc", 10), array("GVL_Plumb.Short", 4)
for variable in (from_plc, to_plc, short):
    handler.add_variable(variable)
port = memory.free_port()
server = AdsTestServer(handler=handler, ip_address="127.0.0.1", port=port, logging=False)
server.start()


def read_station():
    return struct.unpack("<10H", to_plc.value)


def write_plc(words):
    from_plc.value = struct.pack("<10H", *words)


def forget():
    from_plc.value = to_plc.value = bytes(20)


memory.open_door(port, read_station, write_plc, forget)
