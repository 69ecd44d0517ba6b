"""A PLC with Modbus/TCP Security that is not ours: pymodbus in Python's own TLS, with the block from register 100.

modbus_tls.py FOLDER SHOWN TRUSTED
The certificate it shows is FOLDER/SHOWN.pem with SHOWN.key; it trusts FOLDER/TRUSTED.pem and wants a certificate.
"""

import asyncio
import logging
import ssl
import sys
import threading

import memory
from pymodbus import FramerType
from pymodbus.server import ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

BASE = 100
folder, shown, trusted = sys.argv[1:4]
logging.disable(logging.CRITICAL)


def secured():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/{shown}.pem", f"{folder}/{shown}.key")
    context.load_verify_locations(f"{folder}/{trusted}.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def serve():
    data = [SimData(BASE, count=20, values=0, datatype=DataType.REGISTERS)]
    # The specification keeps the MBAP header inside TLS; pymodbus by itself would leave it out.
    server = ModbusTlsServer(
        SimDevice(1, simdata=data), framer=FramerType.SOCKET, address=("127.0.0.1", 0), sslctx=secured()
    )
    await server.serve_forever(background=True)
    return server, server.transport.sockets[0].getsockname()[1]


loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def there(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


server, port = there(serve())
memory.open_door(
    port,
    lambda: there(server.async_getValues(1, 3, BASE + 10, 10)),
    lambda words: there(server.async_setValues(1, 6, BASE, words)),
    lambda: there(server.async_setValues(1, 6, BASE, [0] * 20)),
)
