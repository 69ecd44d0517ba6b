"""The PLC as Modbus server: the station is the client and writes into it.

plc_server.py EDGES_MS GATE_MS [no-fc23]
"""

import asyncio
import sys
import time

from plc_program import from_arguments, say
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

BASE = 200
KNOWS_FC23 = "no-fc23" not in sys.argv
written_with = set()


async def watch(function, _start, address, _count, _registers, values):
    if function == 23 and not KNOWS_FC23:
        return ExcCodes.ILLEGAL_FUNCTION
    if function in (16, 23) and values and address == BASE + 10:
        if not written_with:
            say(first=list(values))
        if function not in written_with:
            written_with.add(function)
            say(written_with=function)
    return None


async def main():
    data = [SimData(BASE, count=20, values=0, datatype=DataType.REGISTERS)]
    server = ModbusTcpServer(SimDevice(1, simdata=data, action=watch), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    say(port=server.transport.sockets[0].getsockname()[1])
    program = from_arguments()
    while not program.done():
        words = await server.async_getValues(1, 3, BASE + 10, 10)
        # Function 6: the program's own writes are none of the station's.
        await server.async_setValues(1, 6, BASE, program.scan(time.monotonic() * 1000, words))
        await asyncio.sleep(0.004)
    say(done=True)
    await asyncio.sleep(10)  # the station hangs up first; the test ends this process


asyncio.run(main())
