// node-opcua as a client of Machine Vision: plays one scene (JSON on stdin) and tells what it saw as one JSON document.
const fs = require("fs");
const os = require("os");
const path = require("path");
const {
  OPCUAClient, MessageSecurityMode, SecurityPolicy, UserTokenType, AttributeIds, DataType, Variant,
  constructEventFilter, ofType, resolveNodeId, TimestampsToReturn, ClientSubscription, ClientMonitoredItem,
  findActiveConditions, acknowledgeAllConditions, confirmAllConditions,
} = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");

const wanted = JSON.parse(fs.readFileSync(0, "utf8"));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "plumb-node-opcua-"));
const FIELDS = ["EventType", "2:ResultId", "2:PartId", "2:JobId", "2:ResultContent", "2:ProcessingTimes"];

// One part, its event and its result.
async function job(session, vision, own) {
  const fields = FIELDS.map((field) => field.replace("2:", `${vision}:`));
  const subscription = ClientSubscription.create(session, { requestedPublishingInterval: 50, publishingEnabled: true });
  const filter = constructEventFilter(fields, ofType(`ns=${vision};i=1024`));
  const item = ClientMonitoredItem.create(
    subscription, { nodeId: `ns=${own};s=VisionSystem`, attributeId: AttributeIds.EventNotifier },
    { samplingInterval: 0, queueSize: 1000, filter }, TimestampsToReturn.Both,
  );
  await new Promise((resolve) => item.once("initialized", resolve));
  const heard = new Promise((resolve) => item.once("changed", resolve));
  const part = await session.constructExtensionObject(resolveNodeId(`ns=${vision};i=3004`), { id: "p-node" });
  const none = new Variant({ dataType: DataType.Null });
  const answer = await session.call({
    objectId: `ns=${own};s=VisionSystem/VisionStateMachine/AutomaticModeStateMachine`,
    methodId: `ns=${own};s=VisionSystem/VisionStateMachine/AutomaticModeStateMachine/StartSingleJob`,
    inputArguments: [none, new Variant({ dataType: DataType.ExtensionObject, value: part }), none, none, none],
  });
  const event = await heard;
  const latest = await session.read({
    nodeId: `ns=${own};s=VisionSystem/ResultManagement/Results/Latest`, attributeId: AttributeIds.Value,
  });
  return {
    called: answer.statusCode.name,
    error: answer.outputArguments[1].value,
    job: answer.outputArguments[0].value.id,
    event: Object.fromEntries(FIELDS.map((field, at) => [field.replace("2:", ""), event[at].value])),
    latest: latest.value.value,
  };
}

// As alarm panels do it: by a refresh and the methods of the base types.
async function alarms(session, vision, own) {
  const state = { nodeId: `ns=${own};s=VisionSystem/VisionStateMachine/CurrentState`, attributeId: AttributeIds.Value };
  const until = async (wanted) => {
    while ((await session.read(state)).value.value?.text !== wanted);
  };
  await until("Operational");
  const id = await session.constructExtensionObject(resolveNodeId(`ns=${vision};i=3002`), { id: "fuse" });
  await session.call({
    objectId: `ns=${own};s=VisionSystem/RecipeManagement`,
    methodId: `ns=${own};s=VisionSystem/RecipeManagement/PrepareRecipe`,
    inputArguments: [new Variant({ dataType: DataType.ExtensionObject, value: id }), new Variant({ dataType: DataType.Null })],
  });
  const active = async () => (await findActiveConditions(session)).map((condition) => ({
    name: condition.conditionName.value, acked: condition.ackedState.id.value,
    confirmed: condition.confirmedState.id.value, node: condition.conditionId.value.toString(),
  }));
  await until("Error");
  const told = await active();
  await acknowledgeAllConditions(session, "seen");
  const acknowledged = await active();
  await confirmAllConditions(session, "done");
  return { told, acknowledged, confirmed: await active() };
}

const SCENES = { job, alarms };

async function main() {
  const manager = new OPCUACertificateManager({
    rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: true,
  });
  await manager.initialize();
  const client = OPCUAClient.create({
    applicationName: "node", applicationUri: wanted.uri, endpointMustExist: false,
    securityMode: MessageSecurityMode.SignAndEncrypt, securityPolicy: SecurityPolicy[wanted.policy],
    certificateFile: wanted.certificate, privateKeyFile: wanted.key, clientCertificateManager: manager,
    connectionStrategy: { maxRetry: 0, initialDelay: 100, maxDelay: 200 },
  });
  await client.connect(wanted.url);
  const session = await client.createSession({
    type: UserTokenType.UserName, userName: wanted.user, password: wanted.password,
  });
  const namespaces = await session.readNamespaceArray();
  const [vision, own] = ["http://opcfoundation.org/UA/MachineVision", "urn:plumb:vision-system"]
    .map((name) => namespaces.indexOf(name));
  const said = await SCENES[wanted.scene](session, vision, own);
  console.log(JSON.stringify(said));
  await session.close();
  await client.disconnect();
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

// Some helpers of node-opcua wait for ever.
setTimeout(() => {
  console.error("nothing more came");
  process.exit(1);
}, 60000).unref();

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
