"""Makes a self-signed certificate with whatever should be wrong with it; what it is to say comes as JSON on stdin."""

import datetime
import ipaddress
import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

wanted = json.load(sys.stdin)
key = rsa.generate_private_key(public_exponent=65537, key_size=wanted["bits"])
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted["name"])])


def host(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


names = [host(text) for text in wanted["hosts"]]
names.insert(0 if wanted["uri_first"] else len(names), x509.UniformResourceIdentifier(wanted["uri"]))
now = datetime.datetime.now(datetime.timezone.utc)
usage = {
    "digital_signature": True,
    "content_commitment": True,
    "key_encipherment": True,
    "data_encipherment": True,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now + datetime.timedelta(days=wanted["from_days"]))
    .not_valid_after(now + datetime.timedelta(days=wanted["to_days"]))
    .add_extension(x509.SubjectAlternativeName(names), critical=False)
    .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    .add_extension(x509.KeyUsage(**usage), critical=True)
    .add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )
    .sign(key, hashes.SHA256())
)
with open(wanted["der"], "wb") as file:
    file.write(certificate.public_bytes(serialization.Encoding.DER))
descriptor = os.open(wanted["pem"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
with os.fdopen(descriptor, "wb") as file:
    file.write(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
print("true")
