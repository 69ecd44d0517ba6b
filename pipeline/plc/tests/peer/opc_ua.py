"""A PLC with an OPC UA server that is not ours: asyncua, signed and encrypted, one user, two arrays of ten words.

opc_ua.py FOLDER: makes FOLDER/server.der where it is not there, and trusts FOLDER/station/own/cert.der.
"""

import asyncio
import datetime
import ipaddress
import logging
import os
import shutil
import sys
import threading
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.user_managers import User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import memory

logging.disable(logging.CRITICAL)
folder = Path(sys.argv[1])
URI = "urn:test:plc"


def make_certificate(der, pem):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "plc")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [
        x509.UniformResourceIdentifier(URI),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    format = serialization.PrivateFormat.PKCS8
    pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, format, serialization.NoEncryption()))
    half = der.with_suffix(f".{os.getpid()}")
    half.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    half.rename(der)


class Users:
    def get_user(self, iserver, username=None, password=None, certificate=None):
        good = (username, password) == ("plumb", "korrekt pferd")
        return User(role=UserRole.User, name=username) if good else None


async def serve(ready):
    der, pem = folder / "server.der", folder / "server.pem"
    if not der.exists():
        make_certificate(der, pem)
    server = Server(user_manager=Users())
    await server.init()
    port = memory.free_port()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    await server.set_application_uri(URI)
    server.set_security_policy(
        [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt, ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt]
    )
    server.set_identity_tokens([ua.UserNameIdentityToken])
    await server.load_certificate(der)
    await server.load_private_key(pem)
    trusted = folder / "trusted"
    trusted.mkdir(exist_ok=True)
    shutil.copy(folder / "station" / "own" / "cert.der", trusted / "station.der")
    store = TrustStore([trusted], [])
    await store.load()
    options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
    server.set_certificate_validator(CertificateValidator(options, store))
    index = await server.register_namespace("http://line")
    plumb = await server.nodes.objects.add_object(index, "Plumb")

    async def variable(name, value, kind=ua.VariantType.UInt16, writable=True):
        node = await plumb.add_variable(ua.NodeId(name, index), name, ua.Variant(value, kind))
        if writable:
            await node.set_writable()
        return node

    to_plc = await variable("to_plc", [0] * 10)
    from_plc = await variable("from_plc", [0] * 10, writable=False)
    await variable("locked", [0] * 10, writable=False)
    await variable("short", [0] * 9)
    await variable("reals", [0.0] * 10, ua.VariantType.Float)
    single = [
        await variable("verdict", 0, ua.VariantType.Int32),
        await variable("part", 0, ua.VariantType.UInt32),
        await variable("reason", 0),
        await variable("heartbeat", 0),
    ]
    async with server:
        ready(server, port, to_plc, from_plc, single)
        await asyncio.Event().wait()


def main():
    """The server runs in a loop of its own; the door works on its address space, as a PLC's program would."""
    told = {}
    serving = threading.Event()

    def ready(server, port, to_plc, from_plc, single):
        told.update(server=server, port=port, to_plc=to_plc, from_plc=from_plc, single=single)
        serving.set()

    loop = asyncio.new_event_loop()
    threading.Thread(target=lambda: loop.run_until_complete(serve(ready)), daemon=True).start()
    if not serving.wait(30):
        sys.exit("the server did not start")
    space = told["server"].iserver.aspace

    def read(node):
        return space.read_attribute_value(node.nodeid, ua.AttributeIds.Value).Value.Value

    def write(node, value, kind=ua.VariantType.UInt16):
        data = ua.DataValue(ua.Variant(value, kind))
        asyncio.run_coroutine_threadsafe(
            space.write_attribute_value(node.nodeid, ua.AttributeIds.Value, data), loop
        ).result(5)

    def read_station():
        words = list(read(told["to_plc"]))
        if not any(words) and "single" in sys.argv:
            verdict, part, reason, heartbeat = (int(read(node)) for node in told["single"])
            words = [0, heartbeat, part >> 16, part & 0xFFFF, verdict, reason, 0, 0, 0, 0]
        return words

    def write_plc(words):
        write(told["from_plc"], list(words))

    def forget():
        write(told["to_plc"], [0] * 10)
        write(told["from_plc"], [0] * 10)

    memory.open_door(told["port"], read_station, write_plc, forget)


main()
