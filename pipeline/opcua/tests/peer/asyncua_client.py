"""asyncua as a client: connects as it is told (JSON on stdin), calls methods, and tells how each ended."""

import asyncio
import json
import logging
import sys

from asyncua import Client, ua
from asyncua.crypto import security_policies

logging.disable(logging.CRITICAL)


def name_of(error):
    code = getattr(error, "code", None)
    return ua.status_codes.get_name_and_doc(code)[0] if code is not None else f"{type(error).__name__}: {error}"


async def outcome(waited):
    try:
        return await waited
    except Exception as error:  # whatever it is, it is the answer
        return name_of(error)


async def main():
    wanted = json.load(sys.stdin)
    client = Client(wanted["url"], timeout=wanted.get("timeout_s", 5))
    client.application_uri = wanted["uri"]
    if "user" in wanted:
        client.set_user(wanted["user"])
        client.set_password(wanted["password"])
    if "user_certificate" in wanted:
        await client.load_client_certificate(wanted["user_certificate"])
        await client.load_private_key(wanted["user_key"])
    said = {"connected": True, "calls": {}}
    try:
        if "policy" in wanted:
            policy = getattr(security_policies, "SecurityPolicy" + wanted["policy"].replace("_", ""))
            mode = getattr(ua.MessageSecurityMode, wanted.get("mode", "SignAndEncrypt"))
            await client.set_security(policy, wanted["certificate"], wanted["key"], mode=mode)
        await client.connect()
    except Exception as error:
        print(json.dumps({"connected": False, "why": name_of(error)}))
        return
    try:
        namespace = await client.get_namespace_index(wanted["namespace"])
        station = client.get_node(ua.NodeId("Station", namespace))
        for method in wanted.get("calls", []):
            said["calls"][method] = await outcome(station.call_method(ua.NodeId(method, namespace)))
        count = client.get_node(ua.NodeId("Count", namespace))
        said["count"] = await outcome(count.read_value())
        written = await outcome(count.write_value(ua.DataValue(ua.Variant(7, ua.VariantType.UInt32))))
        said["written"] = "Good" if written is None else written
        for second in range(wanted.get("stay_s", 0)):
            await asyncio.sleep(1)
            said["stayed"] = second + 1
            await count.read_value()
    except Exception as error:
        said["broke"] = name_of(error)
    print(json.dumps(said))
    await outcome(client.disconnect())


asyncio.run(main())
