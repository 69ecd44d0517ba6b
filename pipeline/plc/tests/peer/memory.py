"""The side door of a peer: a PLC program that is not here works on the peer's memory.

Each exchange is one byte and the PLC's ten words (`X`), or one byte and anything to forget all (`Z`); the station's ten
words come back. Words are big-endian.
"""

import json
import socket
import struct
import threading

HALF = 10


def open_door(port, read_station, write_plc, forget):
    """Prints where everything is, and serves the door for ever.

    `read_station()` gives words 10-19, `write_plc(words)` takes words 0-9, `forget()` zeroes all twenty.
    """
    door = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": port, "memory": door.getsockname()[1]}), flush=True)
    while True:
        connection, _ = door.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(
            target=_serve, args=(connection, read_station, write_plc, forget), daemon=True
        ).start()


def _serve(connection, read_station, write_plc, forget):
    try:
        with connection, connection.makefile("rb") as stream:
            while len(request := stream.read(1 + 2 * HALF)) == 1 + 2 * HALF:
                if request[:1] == b"Z":
                    forget()
                else:
                    write_plc(list(struct.unpack(">10H", request[1:])))
                connection.sendall(struct.pack(">10H", *read_station()))
    except OSError:
        pass  # whoever was at the door has gone


def free_port():
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
