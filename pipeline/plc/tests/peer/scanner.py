"""An EtherNet/IP scanner that is not ours: cm-ethernetip owns the station as a PLC owns a camera, with cyclic I/O every
10 ms, and comes back whenever it has lost it. Scanner and adapter both want UDP 2222, so the scanner is 127.0.0.2.

usage: scanner.py STATION_ADDRESS STATION_PORT [idle | polite]

With `idle` it says, as a controller in program mode does, that its outputs mean nothing. With `polite` it closes its
connection after half a second, and comes again.
"""

import asyncio
import logging
import struct
import sys
import threading

from ethernetip.protocol.eip_scanner import EipScanner
from ethernetip.protocol.eip_udp_transport import EipUdpTransport
from ethernetip.protocol.forward_open_config import ForwardOpenConfig

import memory

logging.disable(logging.CRITICAL)

ME = "127.0.0.2"
station, port = sys.argv[1], int(sys.argv[2])
idle, polite = sys.argv[3:] == ["idle"], sys.argv[3:] == ["polite"]
CONFIG = ForwardOpenConfig(
    consumed_assembly=150,
    produced_assembly=100,
    config_assembly=151,
    consumed_size=20,
    produced_size=20,
    rpi=10_000,
    transport_class=1,
    timeout_multiplier=3,  # 32 times the RPI: a busy machine is no silent scanner
)

state = {"mine": bytes(20), "theirs": bytes(20)}


class Scanner(EipScanner):
    async def connect_from(self, udp):
        self._reader, self._writer = await asyncio.open_connection(station, port, local_addr=(ME, 0))
        socket = self._writer.get_extra_info("socket")
        self.local_endpoint, self.remote_endpoint = socket.getsockname()[:2], socket.getpeername()[:2]
        self._udp = udp
        self.session_handle = await self._register_session()


async def own(udp, serial):
    scanner = Scanner()
    scanner._next_conn_serial = serial
    await scanner.connect_from(udp)
    connection = await scanner.forward_open(CONFIG)
    if idle:
        send = udp.send_io_data
        udp.send_io_data = lambda to, id, sequence, data: send(to, id, sequence, data[:2] + bytes(4) + data[6:])
    now = asyncio.get_running_loop().time
    heard = [now()]
    began = now()

    def on_data(data):
        heard[0] = now()
        state["theirs"] = bytes(data[:20])

    connection.on_data_received.append(on_data)
    try:
        while now() - heard[0] < 0.2:
            if polite and now() - began > 0.5:
                await connection.close()
                return
            connection.set_consumed_data(state["mine"])
            await asyncio.sleep(0.002)
    finally:
        # What a module is worth whose connection is gone: nothing.
        state["theirs"] = bytes(20)
        connection.is_open = False
        scanner._writer.close()


async def main():
    udp = EipUdpTransport(ME, 2222)
    await udp.start()
    serial = 0
    while True:
        serial = serial % 0xFFFF + 1
        try:
            await own(udp, serial)
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            pass
        await asyncio.sleep(0.05)


threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()


def read_station():
    return struct.unpack("<10H", state["theirs"])


def write_plc(words):
    state["mine"] = struct.pack("<10H", *words)


def forget():
    state["mine"] = bytes(20)


memory.open_door(0, read_station, write_plc, forget)
