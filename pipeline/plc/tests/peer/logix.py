"""A Logix controller that is not ours: cm-ethernetip's tag server, with the two arrays, one that is too short and one of
another type."""

import asyncio
import logging
import struct
import threading

from ethernetip.cip.identity_info import IdentityInfo
from ethernetip.logix import data_types as dt
from ethernetip.logix.logix_dispatcher import LogixDispatcher
from ethernetip.logix.tag_database import TagDatabase
from ethernetip.protocol.eip_adapter import EipAdapter

import memory

logging.disable(logging.CRITICAL)

tags = TagDatabase()
from_plc = tags.add_tag("Plumb_FromPlc", dt.INT, element_count=10)
to_plc = tags.add_tag("Plumb_ToPlc", dt.INT, element_count=10)
tags.add_tag("Plumb_Short", dt.INT, element_count=4)
tags.add_tag("Plumb_Real", dt.REAL, element_count=10)
identity = IdentityInfo(product_name="Tag server")
adapter = EipAdapter(LogixDispatcher(tags, identity), identity)
loop = asyncio.new_event_loop()
loop.run_until_complete(adapter.listen("127.0.0.1", 0))
threading.Thread(target=loop.run_forever, daemon=True).start()


def on_loop(work):
    """The tags belong to the event loop: nobody else may see them half written."""
    done = threading.Event()
    out = []

    def run():
        out.append(work())
        done.set()

    loop.call_soon_threadsafe(run)
    done.wait()
    return out[0]


def read_station():
    return struct.unpack("<10H", on_loop(to_plc.get_data))


def write_plc(words):
    on_loop(lambda: from_plc.set_data(struct.pack("<10H", *words)))


def forget():
    on_loop(lambda: (from_plc.set_data(bytes(20)), to_plc.set_data(bytes(20))))


memory.open_door(adapter.port, read_station, write_plc, forget)
