"""asyncua as a strict server, told by one JSON argument how. Prints {"port": …} when it serves.

It looks at every client's certificate (trust, application URI, key usage), at user names with passwords and at user
certificates; it has what a PLC has: arrays of words and single values, some that cannot be written.
"""

import asyncio
import json
import logging
import socket
import sys
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.user_managers import User, UserRole

logging.disable(logging.CRITICAL)
wanted = json.loads(sys.argv[1])

POLICIES = {
    "Basic256Sha256": ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    "Basic256Sha256_Sign": ua.SecurityPolicyType.Basic256Sha256_Sign,
    "Aes128_Sha256_RsaOaep": ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    "Aes256_Sha256_RsaPss": ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    "None": ua.SecurityPolicyType.NoSecurity,
}


class Users:
    def get_user(self, iserver, username=None, password=None, certificate=None):
        # Without a user name `certificate` is the user's, or the application's where the log-in is anonymous.
        if username is not None:
            good = username == wanted.get("user") and password == wanted.get("password")
            return User(role=UserRole.User, name=username) if good else None
        if "user_certificate" in wanted and certificate == Path(wanted["user_certificate"]).read_bytes():
            return User(role=UserRole.User, name="certificate")
        known_application = not certificate or any(
            certificate == path.read_bytes() for path in Path(wanted["trusted"]).iterdir()
        )
        if wanted.get("anonymous") and known_application:
            return User(role=UserRole.User, name="anonymous")
        return None


async def main():
    server = Server(user_manager=Users())
    await server.init()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    await server.set_application_uri(wanted["uri"])
    server.set_security_policy([POLICIES[name] for name in wanted["policies"]])
    tokens = []
    if wanted.get("anonymous"):
        tokens.append(ua.AnonymousIdentityToken)
    if "user" in wanted:
        tokens.append(ua.UserNameIdentityToken)
    if "user_certificate" in wanted:
        tokens.append(ua.X509IdentityToken)
    server.set_identity_tokens(tokens)
    await server.load_certificate(wanted["certificate"])
    await server.load_private_key(wanted["key"])
    store = TrustStore([Path(wanted["trusted"])], [])
    await store.load()
    options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
    server.set_certificate_validator(CertificateValidator(options, store))
    index = await server.register_namespace("http://line")
    line = await server.nodes.objects.add_object(index, "Line")

    async def variable(name, value, kind, writable=True):
        node = await line.add_variable(ua.NodeId(name, index), name, ua.Variant(value, kind))
        if writable:
            await node.set_writable()

    await variable("station", [0] * 10, ua.VariantType.UInt16)
    await variable("plc", [0] * 10, ua.VariantType.UInt16, writable=False)
    await variable("ints", [0] * 10, ua.VariantType.Int16)
    await variable("short", [0] * 9, ua.VariantType.UInt16)
    await variable("reals", [0.0] * 10, ua.VariantType.Float)
    await variable("locked", [0] * 10, ua.VariantType.UInt16, writable=False)
    await variable("verdict", 0, ua.VariantType.Int32)
    await variable("part", 0, ua.VariantType.UInt32)
    await variable("byte", 0, ua.VariantType.Byte)
    async with server:
        print(json.dumps({"port": port, "namespace": index}), flush=True)
        await asyncio.sleep(3600)


asyncio.run(main())
