"""A Mitsubishi PLC that is not ours: a small SLMP 3E server (binary, TCP) with data registers D0 to D99. There is no server
on offer; so that this one is not only our idea of it, pymcprotocol, somebody else's client, reads and writes it first."""

import socket
import struct
import threading

import pymcprotocol

import memory

registers = [0] * 100
lock = threading.Lock()


def answer(network, station, end_code, data=b""):
    header = struct.pack("<2sBBHBH", b"\xd0\x00", network, station, 0x03FF, 0, 2 + len(data))
    return header + struct.pack("<H", end_code) + data


def act(network, station, command, subcommand, body):
    if station not in (0xFF, 0) or network != 0:
        return answer(network, station, 0x4A01)
    if subcommand != 0 or command not in (0x0401, 0x1401):
        return answer(network, station, 0xC059)
    number = int.from_bytes(body[0:3], "little")
    code, points = body[3], int.from_bytes(body[4:6], "little")
    if code != 0xA8 or number + points > len(registers):
        return answer(network, station, 0x4031)
    with lock:
        if command == 0x0401:
            return answer(network, station, 0, struct.pack(f"<{points}H", *registers[number : number + points]))
        if len(body) != 6 + 2 * points:
            return answer(network, station, 0xC061)
        registers[number : number + points] = struct.unpack(f"<{points}H", body[6:])
        return answer(network, station, 0)


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as stream:
        while True:
            header = stream.read(9)
            if len(header) < 9 or header[:2] != b"\x50\x00":
                return
            network, station = header[2], header[3]
            body = stream.read(int.from_bytes(header[7:9], "little"))
            if len(body) < 6:
                return
            command, subcommand = struct.unpack("<HH", body[2:6])
            connection.sendall(act(network, station, command, subcommand, body[6:]))


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
threading.Thread(target=accept, args=(listener,), daemon=True).start()

client = pymcprotocol.Type3E()
client.connect("127.0.0.1", port)
client.batchwrite_wordunits(headdevice="D90", values=[1, -2, 3])
assert client.batchread_wordunits(headdevice="D90", readsize=3) == [1, -2, 3]
client.close()


def read_station():
    with lock:
        return registers[10:20]


def write_plc(words):
    with lock:
        registers[0:10] = words


def forget():
    with lock:
        registers[:] = [0] * len(registers)


memory.open_door(port, read_station, write_plc, forget)
