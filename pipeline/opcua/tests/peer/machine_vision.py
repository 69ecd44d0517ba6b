"""asyncua as a client of Machine Vision: plays one scene (JSON on stdin) and tells what it saw as one JSON document."""

import asyncio
import dataclasses
import json
import logging
import sys
import urllib.request
from datetime import datetime

from asyncua import Client, ua
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.ua import ua_binary

logging.disable(logging.CRITICAL)
VISION = "http://opcfoundation.org/UA/MachineVision"
OWN = "urn:plumb:vision-system"
EVENTS = {1013: "JobStarted", 1018: "StateChanged", 1019: "Error", 1020: "ErrorResolved", 1022: "RecipePrepared",
          1023: "Ready", 1024: "ResultReady", 1025: "AcquisitionDone", 1034: "Warning", 1035: "ErrorCondition",
          1036: "PersistentError", 1038: "Information"}
STATES = "VisionSystem/VisionStateMachine"
MODE = STATES + "/AutomaticModeStateMachine"
RECIPES, RESULTS = "VisionSystem/RecipeManagement", "VisionSystem/ResultManagement"
CONFIGURATIONS = "VisionSystem/ConfigurationManagement"


def plain(value):
    """A value as JSON; a decoded structure is a dict with its type's name."""
    if isinstance(value, ua.Variant):
        return plain(value.Value)
    if isinstance(value, ua.LocalizedText):
        return value.Text
    if isinstance(value, ua.NodeId):
        return value.to_string()
    if isinstance(value, ua.ExtensionObject):
        return None if value.TypeId.is_null() else {"undecoded": value.TypeId.to_string()}
    if dataclasses.is_dataclass(value):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **{k: v for k, v in fields.items() if k not in ("Encoding", "TypeId")}}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def name_of(error):
    code = getattr(error, "code", None)
    return ua.status_codes.get_name_and_doc(code)[0] if code is not None else f"{type(error).__name__}: {error}"


class Ear:
    """Hears events until somebody has heard enough."""

    def __init__(self):
        self.heard, self.more = [], asyncio.Event()

    def event_notification(self, event):
        fields = event.get_event_props_as_fields_dict()
        kind = fields["EventType"].Value.Identifier
        self.heard.append({"kind": EVENTS.get(kind, str(kind)), **{k: plain(v) for k, v in fields.items()}})
        self.more.set()

    async def until(self, kind, count=1, wait_s=20):
        async def enough():
            while sum(event["kind"] == kind for event in self.heard) < count:
                self.more.clear()
                await self.more.wait()
        await asyncio.wait_for(enough(), wait_s)


class Peer:
    def __init__(self, client, vision, own):
        self.client, self.vision, self.own = client, vision, own

    def node(self, path):
        return self.client.get_node(ua.NodeId(path, self.own))

    def kind(self, number):
        return self.client.get_node(ua.NodeId(number, self.vision))

    async def call(self, path, *arguments):
        """The outputs, or the name of the status."""
        try:
            outputs = await self.node(path.rsplit("/", 1)[0]).call_method(self.node(path).nodeid, *arguments)
        except ua.UaError as error:
            return name_of(error)
        return [plain(output) for output in outputs] if isinstance(outputs, list) else [plain(outputs)]

    async def states(self):
        told = []
        for machine in (STATES, MODE):
            value = await self.node(machine + "/CurrentState").read_data_value(raise_on_bad_status=False)
            told.append(plain(value.Value) if value.StatusCode.is_good() else value.StatusCode.name)
        return told


NONE = ua.Variant(None)
NO_LIST = ua.Variant([], ua.VariantType.Variant, is_array=True)


def structure(value):
    return ua.Variant(value, ua.VariantType.ExtensionObject)


def cause(number, says):
    return ua.Variant(number, ua.VariantType.Int32), ua.Variant(says, ua.VariantType.String)


def uint32(number):
    return ua.Variant(number, ua.VariantType.UInt32)


def int32(number):
    return ua.Variant(number, ua.VariantType.Int32)


def job(part=None, meas=None, recipe=None):
    return (
        structure(ua.MeasIdDataType(Id=meas)) if meas else NONE,
        structure(ua.PartIdDataType(Id=part)) if part else NONE,
        structure(ua.RecipeIdExternalDataType(Id=recipe)) if recipe else NONE,
        NONE, NO_LIST,
    )


async def listen(peer, ear, kinds, queue=1000):
    subscription = await peer.client.create_subscription(50, ear)
    await subscription.subscribe_events(peer.node("VisionSystem"), [peer.kind(kind) for kind in kinds], queuesize=queue)
    return subscription


async def types(peer, _):
    first = await peer.call(MODE + "/StartSingleJob", *job())
    ear = Ear()
    await listen(peer, ear, [1024])
    await peer.call(MODE + "/StartSingleJob", *job(part="p-2", meas="m-2"))
    await ear.until("ResultReady")
    names = ["ResultDataType", "PartIdDataType", "ConfigurationIdDataType", "ConfigurationDataType",
             "SystemStateDescriptionDataType", "ResultEvaluationEnum", "TriStateBooleanDataType"]
    # A field that is no structure stays as it is; one that nobody could decode says so.
    return {
        "first": first,
        "loaded": {name: hasattr(ua, name) for name in names},
        "latest": plain(await peer.node(RESULTS + "/Results/Latest").read_value()),
        "part": plain(await peer.node(RESULTS + "/Results/Latest/PartId").read_value()),
        "configuration": plain(await peer.node(CONFIGURATIONS + "/ActiveConfiguration").read_value()),
        "system_state": plain(await peer.node("VisionSystem/SystemState").read_value()),
        "event": ear.heard[0],
    }


async def walk(peer, _):
    ear = Ear()
    await listen(peer, ear, [1013, 1018, 1019, 1020, 1022, 1023, 1024, 1025])
    steps = [
        ("StartSingleJob", MODE, job(part="p-1", meas="m-1", recipe="washer")),
        ("StartSingleJob", MODE, job(recipe="bolt")),
        ("StartContinuous", MODE, job(meas="run-1")),
        ("StartSingleJob", MODE, job()),
        ("SelectModeAutomatic", STATES, ()),
        ("Stop", MODE, cause(1, "done")),
        ("Abort", MODE, cause(1, "again")),
        ("UnprepareRecipe", RECIPES, (structure(ua.RecipeIdExternalDataType(Id="washer")), NONE)),
        ("StartSingleJob", MODE, job()),
        ("PrepareRecipe", RECIPES, (structure(ua.RecipeIdExternalDataType(Id="7")), NONE)),
        ("PrepareRecipe", RECIPES, (structure(ua.RecipeIdExternalDataType(Id="nut")), NONE)),
        ("PrepareRecipe", RECIPES, (structure(ua.RecipeIdExternalDataType(Id="bolt", Hash=b"\1")), NONE)),
        ("PrepareRecipe", RECIPES, (structure(ua.RecipeIdExternalDataType(Id="broken")), NONE)),
        ("PrepareRecipe", RECIPES, (structure(ua.RecipeIdExternalDataType(Id="bolt")), NONE)),
        ("Halt", STATES, cause(3, "belt change")),
        ("StartSingleJob", MODE, job()),
        ("SelectModeAutomatic", STATES, ()),
        ("Reset", STATES, cause(3, "belt changed")),
        ("SelectModeAutomatic", STATES, ()),
        ("StartContinuous", MODE, job()),
        ("Abort", MODE, cause(1, "enough")),
    ]
    told = []
    for at, (method, object_path, arguments) in enumerate(steps):
        outputs = await peer.call(f"{object_path}/{method}", *arguments)
        if at == 0:
            await ear.until("Ready")
        if method == "PrepareRecipe" and outputs[-1] == 0:
            await ear.until("RecipePrepared", 1 + (at > 12))
        told.append([method, outputs if isinstance(outputs, str) else outputs[-1], *await peer.states()])
    await ear.until("Ready", 3)
    return {"steps": told, "events": ear.heard}


async def roles(peer, _):
    calls = {
        "Reset": (STATES, cause(0, "")), "Halt": (STATES, cause(0, "")), "SelectModeAutomatic": (STATES, ()),
        "ConfirmAll": (STATES, (ua.Variant(ua.LocalizedText("seen"), ua.VariantType.LocalizedText),)),
        "StartSingleJob": (MODE, job()), "StartContinuous": (MODE, job()), "Stop": (MODE, cause(0, "")),
        "Abort": (MODE, cause(0, "")),
        "PrepareRecipe": (RECIPES, (NONE, NONE)), "UnprepareRecipe": (RECIPES, (NONE, NONE)),
        "GetRecipeListFiltered": (RECIPES, (NONE, NONE, int32(2), uint32(0), uint32(0), int32(0))),
        "ReleaseRecipeHandle": (RECIPES, (uint32(1),)),
        "GetResultById": (RESULTS, (NONE, int32(0))), "GetResultComponentsById": (RESULTS, (NONE, int32(0))),
        "GetResultListFiltered": (RESULTS, (int32(0), *[NONE] * 8, uint32(0), uint32(0), int32(0))),
        "ReleaseResultHandle": (RESULTS, (uint32(9),)),
        "ActivateConfiguration": (CONFIGURATIONS, (NONE,)),
        "GetConfigurationById": (CONFIGURATIONS, (NONE, int32(0))),
        "GetConfigurationList": (CONFIGURATIONS, (uint32(0), uint32(0), int32(0))),
        "ReleaseConfigurationHandle": (CONFIGURATIONS, (uint32(9),)),
        "Acknowledge": ("VisionSystem/Error", (ua.Variant(b"x", ua.VariantType.ByteString), NONE)),
        "Confirm": ("VisionSystem/Error", (ua.Variant(b"x", ua.VariantType.ByteString), NONE)),
    }
    told = {}
    for method, (object_path, arguments) in calls.items():
        outputs = await peer.call(f"{object_path}/{method}", *arguments)
        told[method] = outputs if isinstance(outputs, str) else "answered"
    return told


async def results(peer, _):
    ear = Ear()
    await listen(peer, ear, [1024])
    for number in range(6):
        await peer.call(MODE + "/StartSingleJob", *job(part=f"p-{number + 1}"))
        await ear.until("ResultReady", number + 1)
    wanted = [NONE] * 8
    wanted[1] = structure(ua.PartIdDataType(Id="p-3"))
    all_of = lambda state, names, most, start: (int32(state), *names, uint32(most), uint32(start), int32(0))
    listed = await peer.call(RESULTS + "/GetResultListFiltered", *all_of(0, [NONE] * 8, 0, 0))
    first = listed[3][0]["ResultId"]["Id"]
    by_id = structure(ua.ResultIdDataType(Id=first))
    return {
        "all": listed,
        "two": await peer.call(RESULTS + "/GetResultListFiltered", *all_of(0, [NONE] * 8, 2, 2)),
        "failed": await peer.call(RESULTS + "/GetResultListFiltered", *all_of(4, [NONE] * 8, 0, 0)),
        "p-3": await peer.call(RESULTS + "/GetResultListFiltered", *all_of(0, wanted, 0, 0)),
        "by_id": await peer.call(RESULTS + "/GetResultById", by_id, int32(0)),
        "components": await peer.call(RESULTS + "/GetResultComponentsById", by_id, int32(0)),
        "unknown": await peer.call(RESULTS + "/GetResultById", structure(ua.ResultIdDataType(Id="?")), int32(0)),
        "released": await peer.call(RESULTS + "/ReleaseResultHandle", uint32(listed[2])),
        "again": await peer.call(RESULTS + "/ReleaseResultHandle", uint32(listed[2])),
        "recipes": await peer.call(RECIPES + "/GetRecipeListFiltered", NONE, NONE, int32(2), uint32(0), uint32(0), int32(0)),
        "prepared": await peer.call(RECIPES + "/GetRecipeListFiltered", NONE, NONE, int32(1), uint32(0), uint32(0), int32(0)),
        "configurations": await peer.call(CONFIGURATIONS + "/GetConfigurationList", uint32(0), uint32(0), int32(0)),
        "activated": await peer.call(CONFIGURATIONS + "/ActivateConfiguration",
                                     structure(ua.ConfigurationIdDataType(Id="little station"))),
        "other": await peer.call(CONFIGURATIONS + "/ActivateConfiguration",
                                 structure(ua.ConfigurationIdDataType(Id="other"))),
    }


async def filters(peer, _):
    """asyncua's own filter (EventType in a list), the same on texts, and one that must let nothing through."""
    default, texts, nothing = Ear(), Ear(), Ear()
    await listen(peer, default, [1024])
    for ear, name in ((texts, "ResultManagement"), (nothing, "Elsewhere")):
        filter_ = ua.EventFilter()
        for field in ("EventType", "SourceName", "Message"):
            operand = ua.SimpleAttributeOperand(TypeDefinitionId=ua.NodeId(ua.ObjectIds.BaseEventType),
                                                BrowsePath=[ua.QualifiedName(field)], AttributeId=ua.AttributeIds.Value)
            filter_.SelectClauses.append(operand)
        source = ua.SimpleAttributeOperand(TypeDefinitionId=ua.NodeId(ua.ObjectIds.BaseEventType),
                                           BrowsePath=[ua.QualifiedName("SourceName")], AttributeId=ua.AttributeIds.Value)
        element = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.Equals,
                                          FilterOperands=[source, ua.LiteralOperand(Value=ua.Variant(name))])
        filter_.WhereClause.Elements.append(element)
        subscription = await peer.client.create_subscription(50, ear)
        await subscription.subscribe_events(peer.node("VisionSystem"), evfilter=filter_, queuesize=1000)
    server = Ear()
    subscription = await peer.client.create_subscription(50, server)
    await subscription.subscribe_events(peer.client.nodes.server, [peer.kind(1024)], queuesize=1000)
    await peer.call(MODE + "/StartSingleJob", *job())
    await default.until("ResultReady")
    await texts.until("ResultReady")
    await server.until("ResultReady")
    kinds = lambda ear: [event["kind"] for event in ear.heard]
    return {"default": kinds(default), "texts": kinds(texts), "nothing": kinds(nothing), "server": kinds(server)}


async def conditions(peer, _):
    """The recipe "fuse" breaks the station: that is seen, confirmed, and stays known until both are done."""
    ear = Ear()
    await listen(peer, ear, [1034, 1035, 1036])
    await peer.call(RECIPES + "/PrepareRecipe", structure(ua.RecipeIdExternalDataType(Id="fuse")), NONE)
    await ear.until("PersistentError")
    event = ua.Variant(bytes.fromhex(ear.heard[-1]["EventId"]), ua.VariantType.ByteString)
    comment = ua.Variant(ua.LocalizedText("I am on it"), ua.VariantType.LocalizedText)
    path = "VisionSystem/PersistentError"
    told = {"early": await peer.call(path + "/Confirm", event, comment)}
    told["acknowledged"] = await peer.call(path + "/Acknowledge", event, comment)
    told["twice"] = await peer.call(path + "/Acknowledge", event, comment)
    told["unknown"] = await peer.call(path + "/Acknowledge", ua.Variant(b"?", ua.VariantType.ByteString), comment)
    told["retain"] = plain(await peer.node(path + "/Retain").read_value())
    told.update(await by_base_types(peer, path, event, comment))
    told["confirm_all"] = await peer.call(STATES + "/ConfirmAll", comment)
    await ear.until("PersistentError", 3)
    told["states"] = await peer.states()
    told["events"] = ear.heard
    return told


async def burst(peer, _):
    """A hundred parts between two publishings: a client that asks for a long queue hears of each."""
    ear = Ear()
    subscription = await peer.client.create_subscription(1000, ear)
    await subscription.subscribe_events(peer.node("VisionSystem"), [peer.kind(1024)], queuesize=1000)
    await peer.call(STATES + "/ConfirmAll", ua.Variant(ua.LocalizedText("a hundred parts"), ua.VariantType.LocalizedText))
    await ear.until("ResultReady", 100)
    return [event["PartId"]["Id"] for event in ear.heard]


async def by_base_types(peer, path, event, comment):
    """As alarm clients do it: by the methods of the base types, and who comes later asks for what he missed."""
    condition, of_type = peer.node(path), peer.client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
    base = ua.ObjectIds

    async def call(node, method, *arguments):
        try:
            await node.call_method(ua.NodeId(method), *arguments)
        except ua.UaError as error:
            return name_of(error)
        return "Good"

    late = Ear()
    subscription = await listen(peer, late, [1034, 1035, 1036])
    marks = Ear()
    other = await peer.client.create_subscription(50, marks)
    await other.subscribe_events(peer.client.nodes.server, [
        peer.client.get_node(ua.NodeId(kind)) for kind in (base.RefreshStartEventType, base.RefreshEndEventType)],
        queuesize=100)
    told = {
        "refreshed": await call(of_type, base.ConditionType_ConditionRefresh, uint32(subscription.subscription_id)),
        "marked": await call(of_type, base.ConditionType_ConditionRefresh, uint32(other.subscription_id)),
        "of_others": await call(of_type, base.ConditionType_ConditionRefresh, uint32(99999)),
        "by_type_twice": await call(condition, base.AcknowledgeableConditionType_Acknowledge, event, comment),
        "by_type": await call(condition, base.AcknowledgeableConditionType_Confirm, event, comment),
        "of_no_condition": await call(of_type, base.AcknowledgeableConditionType_Confirm, event, comment),
        "name": (await peer.client.get_node(ua.NodeId(base.AcknowledgeableConditionType_Confirm)).read_browse_name()).Name,
        "children": len(await of_type.get_methods()),
    }
    await late.until("PersistentError")
    await marks.until("2788")
    told["late"] = late.heard
    told["marks"] = [event["kind"] for event in marks.heard]
    return told


async def halt(peer, wanted):
    """An engineer's shift at a real station: out of work, a part all the same, back to work, a recipe, a part."""
    ear = Ear()
    await listen(peer, ear, [1022, 1024])

    async def done(method, *arguments):
        outputs = await peer.call(f"{STATES}/{method}", *arguments)
        return [outputs if isinstance(outputs, str) else outputs[-1], *await peer.states()]

    told = {"halted": await done("Halt", *cause(3, "belt change"))}
    refused = await peer.call(MODE + "/StartSingleJob", *job())
    request = urllib.request.Request(f"http://{wanted['http']}/api/v1/trigger", method="POST")
    await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).read())
    await ear.until("ResultReady")
    told["while_halted"] = [refused[-1], ear.heard[-1]["ResultContent"][1]]
    told["reset"] = await done("Reset", *cause(3, "belt changed"))
    told["selected"] = await done("SelectModeAutomatic")
    prepared = await peer.call(RECIPES + "/PrepareRecipe", structure(ua.RecipeIdExternalDataType(Id="washer")), NONE)
    await ear.until("RecipePrepared")
    told["prepared"] = [prepared[-1], prepared[0]["Id"]]
    await peer.call(MODE + "/StartSingleJob", *job())
    await ear.until("ResultReady", 2)
    told["judged"] = ear.heard[-1]["ResultContent"][1]
    return told


async def panics(peer, _):
    first = await peer.call(MODE + "/StartSingleJob", *job())
    listed = await peer.call(RECIPES + "/GetRecipeListFiltered", NONE, NONE, int32(2), uint32(0), uint32(0), int32(0))
    return {"panicked": first, "then": listed[-1], "states": await peer.states()}


async def wire(_, wanted):
    """Each value both ways: as asyncua writes it, what it reads in the bytes it was given, and what it had written."""
    def made(value):
        if isinstance(value, dict) and "type" in value:
            fields = {name: made(field) for name, field in value.items() if name != "type"}
            return getattr(ua, value["type"])(**fields)
        if isinstance(value, dict) and "bytes" in value:
            return bytes.fromhex(value["bytes"])
        if isinstance(value, dict) and "text" in value:
            return ua.LocalizedText(value["text"])
        if isinstance(value, dict) and "time" in value:
            return datetime.fromisoformat(value["time"])
        if isinstance(value, dict) and "int32" in value:
            return ua.Variant(value["int32"], ua.VariantType.Int32)
        if isinstance(value, dict) and "enum" in value:
            return getattr(ua, value["enum"])(value["is"])
        if isinstance(value, dict) and "strings" in value:
            return ua.Variant(value["strings"], ua.VariantType.String)
        if isinstance(value, dict) and "string" in value:
            return ua.Variant(value["string"], ua.VariantType.String)
        return [made(one) for one in value] if isinstance(value, list) else value

    told = []
    for value, written in wanted["values"]:
        theirs = ua_binary.extensionobject_to_binary(made(value))
        read = ua_binary.extensionobject_from_binary(Buffer(bytes.fromhex(written)))
        told.append([theirs.hex(), plain(read), plain(made(value))])
    return told


async def main():
    wanted = json.load(sys.stdin)
    client = Client(wanted["url"], timeout=20)
    client.application_uri = wanted["uri"]
    client.set_user(wanted["user"])
    client.set_password(wanted["password"])
    policy = getattr(security_policies, "SecurityPolicy" + wanted["policy"].replace("_", ""))
    await client.set_security(policy, wanted["certificate"], wanted["key"], mode=ua.MessageSecurityMode.SignAndEncrypt)
    async with client:
        await client.load_data_type_definitions()
        vision, own = [await client.get_namespace_index(name) for name in (VISION, OWN)]
        told = await globals()[wanted["scene"]](Peer(client, vision, own), wanted)
    print(json.dumps(told))


asyncio.run(main())
