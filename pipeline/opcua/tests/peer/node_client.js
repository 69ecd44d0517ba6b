// node-opcua as a client: connects as it is told (JSON on stdin), calls methods, and tells how each ended.
const fs = require("fs");
const os = require("os");
const path = require("path");
const {
  OPCUAClient, MessageSecurityMode, SecurityPolicy, UserTokenType, StatusCodes,
} = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");

const wanted = JSON.parse(fs.readFileSync(0, "utf8"));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "plumb-node-opcua-"));

function nameOf(error) {
  const text = String(error && error.message ? error.message : error);
  const found = text.match(/Bad[A-Za-z]+/);
  return found ? found[0] : text;
}

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
  const said = { connected: true, calls: {} };
  let session;
  try {
    await client.connect(wanted.url);
    const identity = wanted.user_certificate
      ? {
          type: UserTokenType.Certificate, certificateData: fs.readFileSync(wanted.user_certificate),
          privateKey: fs.readFileSync(wanted.user_key, "utf8"),
        }
      : wanted.user
        ? { type: UserTokenType.UserName, userName: wanted.user, password: wanted.password }
        : { type: UserTokenType.Anonymous };
    session = await client.createSession(identity);
  } catch (error) {
    console.log(JSON.stringify({ connected: false, why: nameOf(error) }));
    process.exit(0);
  }
  const namespaces = await session.readNamespaceArray();
  const namespace = namespaces.indexOf(wanted.namespace);
  for (const method of wanted.calls || []) {
    const result = await session.call({
      objectId: `ns=${namespace};s=Station`, methodId: `ns=${namespace};s=${method}`, inputArguments: [],
    });
    const good = result.statusCode.equals(StatusCodes.Good);
    said.calls[method] = good ? result.outputArguments.map((output) => output.value) : result.statusCode.name;
  }
  said.count = (await session.read({ nodeId: `ns=${namespace};s=Count`, attributeId: 13 })).value.value;
  console.log(JSON.stringify(said));
  await session.close();
  await client.disconnect();
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

main().catch((error) => { console.log(JSON.stringify({ connected: false, why: nameOf(error) })); process.exit(0); });
