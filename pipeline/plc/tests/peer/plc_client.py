"""The PLC as Modbus client: it polls the station, which is the server.

plc_client.py EDGES_MS GATE_MS PORT
"""

import sys
import time

from plc_program import from_arguments, say
from pymodbus.client import ModbusTcpClient

BASE = 200


def main():
    station = ModbusTcpClient("127.0.0.1", port=int(sys.argv[3]), timeout=1)
    assert station.connect()
    program = from_arguments()
    said, first = [0] * 10, True
    while not program.done():
        answer = station.readwrite_registers(
            read_address=BASE + 10, read_count=10, write_address=BASE, values=said, device_id=1
        )
        assert not answer.isError(), answer
        if first:
            say(first=answer.registers)
            first = False
        said = program.scan(time.monotonic() * 1000, answer.registers)
        time.sleep(0.004)
    # The same once more with single functions, and what a PLC must not do.
    assert not station.write_registers(BASE, said, device_id=1).isError()
    assert not station.read_holding_registers(BASE + 10, count=10, device_id=1).isError()
    forged = station.write_register(BASE + 14, 0x5AA5, device_id=1)
    say(forging_refused=forged.isError(), exception=getattr(forged, "exception_code", None))
    say(done=True)
    station.close()


main()
