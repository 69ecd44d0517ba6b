"""A PLC that polls the station over Modbus/TCP Security: pymodbus in Python's own TLS. Tries once, and says how it went.

modbus_tls_client.py FOLDER SHOWN PORT
SHOWN is the certificate it shows, or "none". It trusts FOLDER/plant.pem.
"""

import json
import socket
import ssl
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

folder, shown, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(f"{folder}/plant.pem")
if shown != "none":
    context.load_cert_chain(f"{folder}/{shown}.pem", f"{folder}/{shown}.key")


class Secured(ModbusTcpClient):
    """pymodbus' own TLS client leaves out the MBAP header, which the specification keeps: its plain one, inside TLS."""

    def connect(self):
        if self.socket:
            return True
        plain = socket.create_connection(("localhost", port), timeout=5)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        return True


station = Secured("localhost", port=port, timeout=2, retries=0)
said = {}
try:
    said["connected"] = bool(station.connect())
    answer = station.readwrite_registers(
        read_address=10, read_count=10, write_address=0, values=[0] * 10, device_id=1
    )
    said["exception"] = getattr(answer, "exception_code", None)
    said["words"] = None if answer.isError() else answer.registers
except (ModbusException, OSError) as error:
    said["error"] = str(error)
print(json.dumps(said), flush=True)
