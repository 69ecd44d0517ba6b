"""Tools that are not ours look at the station: cm-ethernetip asks for its Identity object and its assemblies, on their own
and on a connection for messages, and looks on as an input-only connection; cpppo asks who is there and reads the identity.
What they learnt is one line of JSON.

usage: eip_tool.py STATION_ADDRESS STATION_PORT
"""

import asyncio
import json
import logging
import struct
import sys

from cpppo.server.enip import client
from ethernetip.protocol.eip_scanner import EipScanner
from ethernetip.protocol.eip_udp_transport import EipUdpTransport
from ethernetip.protocol.forward_open_config import ForwardOpenConfig

logging.disable(logging.CRITICAL)
station, port = sys.argv[1], int(sys.argv[2])
GET_ALL, GET_ONE = 0x01, 0x0E


def identity(data):
    vendor, device_type, product, major, minor, status, serial, length = struct.unpack_from("<HHHBBHIB", data)
    name = data[15:15 + length].decode("ascii")
    assert len(data) == 15 + length, data
    return [vendor, device_type, product, major, minor, serial, name], status


async def with_cm_ethernetip():
    tool = EipScanner()
    tool._reader, tool._writer = await asyncio.open_connection(station, port, local_addr=("127.0.0.3", 0))
    socket = tool._writer.get_extra_info("socket")
    tool.local_endpoint, tool.remote_endpoint = socket.getsockname()[:2], socket.getpeername()[:2]
    tool._udp = EipUdpTransport("127.0.0.3", 2222)
    await tool._udp.start()
    tool.session_handle = await tool._register_session()
    answer = await tool.send_explicit(GET_ALL, bytes([0x20, 1, 0x24, 1]))
    who, status = identity(answer.data)
    sizes = {}
    for instance in (100, 150, 151):
        answer = await tool.send_explicit(GET_ONE, bytes([0x20, 4, 0x24, instance, 0x30, 4]))
        sizes[instance] = struct.unpack("<H", answer.data)[0]
    async with await tool.open_explicit() as connected:
        answer = await connected.send(GET_ALL, 1, 1)
        assert identity(answer.data)[0] == who, answer.data
    looking_on = await tool.forward_open(
        ForwardOpenConfig(
            consumed_assembly=198,
            produced_assembly=100,
            config_assembly=151,
            consumed_size=0,
            produced_size=20,
            rpi=10_000,
            transport_class=1,
            timeout_multiplier=1,
        )
    )
    heard = asyncio.Event()
    lengths = []

    def on_data(data):
        lengths.append(len(data))
        if len(lengths) == 5:
            heard.set()

    looking_on.on_data_received.append(on_data)
    await asyncio.wait_for(heard.wait(), 5)
    assert set(lengths) == {20}, lengths
    # An owner must not be shut out by one who looks on.
    _, status_then = identity((await tool.send_explicit(GET_ALL, bytes([0x20, 1, 0x24, 1]))).data)
    await looking_on.close()
    await tool.close()
    return who, sizes, [status, status_then]


def with_cpppo(udp):
    with client.connector(host=station, port=port, timeout=5, udp=udp) as tool:
        tool.list_identity(timeout=5)
        answer, _ = client.await_response(tool, timeout=5)
        who = answer.enip.CIP.list_identity.CPF.item[0].identity_object
        return [
            who.vendor_id, who.device_type, who.product_code, who.product_revision & 0xFF, who.product_revision >> 8,
            who.serial_number, who.product_name,
        ]


who, sizes, statuses = asyncio.run(with_cm_ethernetip())
print(json.dumps({
    "identity": who,
    "sizes": sizes,
    "statuses": statuses,
    "listed_over_udp": with_cpppo(True),
    "listed_over_tcp": with_cpppo(False),
}))
