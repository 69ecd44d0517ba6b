//! OPC UA client: the station writes into variables of the PLC's OPC UA server (S7-1500, CODESYS, B&R, Omron, …), signed and
//! encrypted. Two arrays of ten words are the block: one Write carries verdict and part id, one Read brings the PLC's half.
//!
//! For a listener that has no block, an MES for instance, single variables may be named instead ([`Single`]). Nobody answers
//! there, so the server's own "Good" is the acknowledgement: what is written is delivered, and the listener's heartbeat is
//! the server's. Such a link moves no gate.

use super::{
    Place, Protocol,
    cyclic::{Cyclic, Fault, Wire, client_table},
};
use crate::{
    FromPlc, LinkFaultKind, PlcError, ToPlc,
    register_map::{BLOCK_WORDS, Control, HALF_WORDS, Words},
};
use plumb_opcua::{
    client::{Client, ClientSecurity, Failure, FailureKind, Login, Node, NodeName, Server, Value},
    security::{Own, Pki, Wish},
};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

client_table! {
    /// The `[plc]` table with `kind = "opc_ua"`: either `to_plc` and `from_plc`, or `[plc.single]`.
    pub struct OpcUaConfig {
        /// `opc.tcp://host:port` of the PLC's server; 4840 where no port is written.
        pub url: String,
        /// Array of ten words that the station writes (words 10–19): `ns=3;s="DB_Plumb"."station"`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub to_plc: Option<NodeName>,
        /// Array of ten words that the PLC writes (words 0–9).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from_plc: Option<NodeName>,
        /// Single variables, for a listener without a block.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub single: Option<Single>,
        /// Folder of the station's OPC UA certificates; `plumb opcua` shows and trusts.
        #[serde(default = "pki")]
        pub pki: PathBuf,
        /// Policies, or the sentence that switches security off.
        #[serde(default)]
        pub security: ClientSecurity,
        /// Who the station is to the PLC; anonymous where it is not written.
        #[serde(default, skip_serializing_if = "Login::is_anonymous")]
        pub login: Login,
        /// For a connection: keys are exchanged and checked, which takes a PLC a second or two.
        #[serde(default = "connect_timeout_ms")]
        pub connect_timeout_ms: u64,
    }
}

/// Variables of any whole number's type, or text, written in one service call as each answer comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Single {
    /// Verdict code: 0x5AA5 pass, 2 fail, 3 missed, 4 late, 0 nothing judged (at the start and at the end).
    pub verdict: NodeName,
    /// Part id of that verdict.
    pub part: NodeName,
    /// Reason code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NodeName>,
    /// The station's heartbeat; a listener that sees it stand still knows that the station is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<NodeName>,
}

fn pki() -> PathBuf {
    PathBuf::from("data/opcua")
}

fn connect_timeout_ms() -> u64 {
    5_000
}

impl OpcUaConfig {
    /// A block in two arrays; everything else as it is by default.
    pub fn new(url: impl Into<String>, to_plc: NodeName, from_plc: NodeName) -> Self {
        use super::cyclic::defaults;
        Self {
            url: url.into(),
            to_plc: Some(to_plc),
            from_plc: Some(from_plc),
            single: None,
            pki: pki(),
            security: ClientSecurity::default(),
            login: Login::default(),
            connect_timeout_ms: connect_timeout_ms(),
            cycle_ms: defaults::cycle_ms(),
            timeout_ms: defaults::timeout_ms(),
            backoff_min_ms: defaults::backoff_min_ms(),
            backoff_max_ms: defaults::backoff_max_ms(),
            handshake: crate::Timing::default(),
        }
    }

    /// The PLC's program acknowledges what it read, so that a gate may hang on it. False for single variables.
    pub fn is_acknowledged(&self) -> bool {
        self.single.is_none()
    }

    /// `host:port`, as far as `url` has them.
    pub(super) fn address(&self) -> &str {
        let rest = self.url.strip_prefix("opc.tcp://").unwrap_or(&self.url);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The variables that it reads or writes.
    pub(super) fn places(&self) -> Vec<Place> {
        let single = self.single.iter().flat_map(|single| {
            [Some(&single.verdict), Some(&single.part), single.reason.as_ref(), single.heartbeat.as_ref()]
        });
        let nodes = [self.to_plc.as_ref(), self.from_plc.as_ref()].into_iter().chain(single).flatten();
        nodes
            .map(|node| Place::whole(format!("{node} of OPC UA {}", self.address().to_lowercase())))
            .collect()
    }

    pub(super) fn relative_to(&mut self, folder: &Path) {
        let login = [&mut self.login.password_file, &mut self.login.certificate, &mut self.login.key];
        for path in login.into_iter().flatten().chain([&mut self.pki]) {
            *path = folder.join(&path);
        }
    }

    fn server(&self) -> Server {
        Server { url: self.url.clone(), security: self.security.clone(), login: self.login.clone() }
    }

    /// Every problem of these values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.pace().problems();
        problems.extend(self.server().problems().into_iter().map(|problem| format!("plc {problem}")));
        let connect_ms = self.connect_timeout_ms;
        if !(self.timeout_ms..=60_000).contains(&connect_ms) {
            let least = self.timeout_ms;
            problems.push(format!(
                "plc connect_timeout_ms is {connect_ms}, expected {least} (timeout_ms) to 60000"
            ));
        }
        match (&self.to_plc, &self.from_plc, &self.single) {
            (Some(to), Some(from), None) if to == from => {
                problems.push(format!("plc to_plc and from_plc are both {to}; each side needs an array of its own"));
            }
            (Some(_), Some(_), None) | (None, None, Some(_)) => {}
            _ => problems.push(
                "plc needs to_plc and from_plc (two arrays of ten words), or [plc.single] with verdict and part"
                    .to_owned(),
            ),
        }
        problems
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let pki = Pki::open(&self.pki);
        let pki = pki.map_err(|error| PlcError::Config { problems: vec![format!("plc pki: {error}")] })?;
        let wire = OpcUa { config: self.clone(), pki, connected: None };
        Ok(Box::new(Cyclic::new(wire, self.pace(), &self.url)))
    }
}

/// The station as the OPC UA client of a PLC.
struct OpcUa {
    config: OpcUaConfig,
    pki: Pki,
    connected: Option<Connected>,
}

struct Connected {
    client: Client,
    nodes: Nodes,
}

#[expect(clippy::large_enum_variant, reason = "one of a link")]
enum Nodes {
    Block { to_plc: Node, from_plc: Node },
    Single(Listener),
}

/// Who reads single variables, and what we take for its half of the handshake.
struct Listener {
    verdict: Node,
    part: Node,
    reason: Option<Node>,
    heartbeat: Option<Node>,
    /// The station's heartbeat as it was last told or seen: between two, a quiet link asks nothing.
    beat: Option<u16>,
    said: FromPlc,
}

impl Wire for OpcUa {
    fn patience(&self, _: Duration) -> Duration {
        Duration::from_millis(self.config.connect_timeout_ms)
    }

    async fn connect(&mut self) -> Result<(), Fault> {
        self.connected = None;
        let own = own(self.pki.clone()).await?;
        let limit = Duration::from_millis(self.config.connect_timeout_ms);
        let client = Client::connect(&self.config.server(), &self.pki, &own, limit).await.map_err(fault)?;
        let nodes = look_up(&client, &self.config).await?;
        self.connected = Some(Connected { client, nodes });
        Ok(())
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let limit = Duration::from_millis(self.config.timeout_ms);
        let Connected { client, nodes } =
            self.connected.as_mut().expect("connected before anything is exchanged");
        let exchanged = tokio::time::timeout(limit, nodes.exchange(client, station)).await;
        let did_not = || (LinkFaultKind::Timeout, format!("did not answer within {} ms", limit.as_millis()));
        exchanged.map_err(|_| did_not())?.map_err(|failure| fault(client.ended().unwrap_or(failure)))
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let Connected { client, nodes } =
            self.connected.as_ref().expect("connected before anything is looked at");
        let Nodes::Block { to_plc, from_plc } = nodes else {
            let what = "has single variables here, no block; leave --watch out".to_owned();
            return Err((LinkFaultKind::Exception, what));
        };
        let mut block = [0; BLOCK_WORDS];
        for (half, node) in block.chunks_exact_mut(HALF_WORDS).zip([from_plc, to_plc]) {
            let read = words(client, node).await;
            half.copy_from_slice(&read.map_err(|failure| fault(client.ended().unwrap_or(failure)))?);
        }
        Ok(block)
    }
}

/// The ten words of `node`.
async fn words(client: &Client, node: &Node) -> Result<Words, Failure> {
    let read = client.read_words(node).await?;
    Words::try_from(read.as_slice()).map_err(|_| Failure {
        kind: FailureKind::WrongAnswer,
        says: format!("sent {} words for {}, expected {HALF_WORDS}", read.len(), node.name),
    })
}

impl Nodes {
    async fn exchange(&mut self, client: &Client, station: &Words) -> Result<Words, Failure> {
        match self {
            Self::Block { to_plc, from_plc } => {
                client.write(&[(to_plc, Value::Words(station.to_vec()))]).await?;
                words(client, from_plc).await
            }
            Self::Single(listener) => listener.exchange(client, station).await,
        }
    }
}

impl Listener {
    /// Writes what an answer says while it is shown, and the empty one when the station is not online; acknowledges for
    /// the listener once the server has taken it.
    async fn exchange(&mut self, client: &Client, station: &Words) -> Result<Words, Failure> {
        let block = ToPlc::decode(station).expect("the station's own block is whole");
        let mut values = Vec::with_capacity(4);
        let news = block.status.results_valid || !block.status.online;
        if news {
            values.push((&self.verdict, Value::Number(block.code as u32)));
            values.push((&self.part, Value::Number(block.part.map_or(0, plumb_inspection::PartId::get))));
            values.extend(self.reason.as_ref().map(|node| (node, Value::Number(block.reason.into()))));
        }
        if !news && self.beat == Some(block.heartbeat) {
            return Ok(self.said.encode());
        }
        self.beat = Some(block.heartbeat);
        values.extend(self.heartbeat.as_ref().map(|node| (node, Value::Number(block.heartbeat.into()))));
        if values.is_empty() {
            // Whether the server is still there, and would take an answer now.
            client.look_up(&[&self.verdict.name]).await?;
        } else {
            client.write(&values).await?;
        }
        self.said.heartbeat = self.said.heartbeat.wrapping_add(1);
        self.said.control =
            Control { buffer_results: true, results_ack: block.status.results_valid, ..Control::default() };
        Ok(self.said.encode())
    }
}

/// The station's certificate; made where there is none. An RSA key takes a moment, and nobody is to wait for it.
async fn own(pki: Pki) -> Result<Own, Fault> {
    let made = tokio::task::spawn_blocking(move || pki.own_or_new(&Wish::of_this_machine())).await;
    let cannot = |why: String| (LinkFaultKind::Exception, format!("cannot be asked: {why}"));
    made.map_err(|error| cannot(error.to_string()))?.map_err(|error| cannot(error.to_string()))
}

async fn look_up(client: &Client, config: &OpcUaConfig) -> Result<Nodes, Fault> {
    if let Some(Single { verdict, part, reason, heartbeat }) = &config.single {
        let names: Vec<_> =
            [Some(verdict), Some(part), reason.as_ref(), heartbeat.as_ref()].into_iter().flatten().collect();
        let nodes = client.look_up(&names).await.map_err(fault)?;
        for node in &nodes {
            writable(node)?;
            if !node.kind.is_number() {
                return Err(wrong_type(node, "a whole number or a text"));
            }
        }
        let mut nodes = nodes.into_iter();
        let mut next = || nodes.next().expect("as many as were named");
        let (verdict, part) = (next(), next());
        let reason = reason.as_ref().map(|_| next());
        let heartbeat = heartbeat.as_ref().map(|_| next());
        let said = FromPlc::default();
        return Ok(Nodes::Single(Listener { verdict, part, reason, heartbeat, beat: None, said }));
    }
    let (Some(to_plc), Some(from_plc)) = (&config.to_plc, &config.from_plc) else {
        unreachable!("`problems` has looked at it")
    };
    let nodes = client.look_up(&[to_plc, from_plc]).await.map_err(fault)?;
    for node in &nodes {
        if !node.kind.is_words(HALF_WORDS) {
            return Err(wrong_type(node, "ARRAY [0..9] OF WORD (UInt16[10])"));
        }
    }
    let Ok([to_plc, from_plc]) = <[Node; 2]>::try_from(nodes) else { unreachable!("two were named") };
    writable(&to_plc)?;
    Ok(Nodes::Block { to_plc, from_plc })
}

fn writable(node: &Node) -> Result<(), Fault> {
    match node.writable {
        true => Ok(()),
        false => Err((
            LinkFaultKind::Exception,
            format!(
                "does not let this user write {}; permit it in the variable's properties there",
                node.name
            ),
        )),
    }
}

fn wrong_type(node: &Node, expected: &str) -> Fault {
    (LinkFaultKind::Exception, format!("has {} as {}; it should be {expected}", node.name, node.kind))
}

fn fault(failure: Failure) -> Fault {
    let kind = match failure.kind {
        FailureKind::Refused => LinkFaultKind::Refused,
        FailureKind::Unreachable => LinkFaultKind::Unreachable,
        FailureKind::Timeout => LinkFaultKind::Timeout,
        FailureKind::Closed => LinkFaultKind::Closed,
        FailureKind::Security | FailureKind::Login | FailureKind::Said => LinkFaultKind::Exception,
        FailureKind::WrongAnswer => LinkFaultKind::WrongAnswer,
    };
    (kind, failure.says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeName {
        name.try_into().unwrap()
    }

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = OpcUaConfig::new("10.0.4.7", node("ns=3;s=a"), node("ns=3;s=a"));
        (config.connect_timeout_ms, config.cycle_ms, config.login.name) = (100, 0, Some("plumb".into()));
        let problems = config.problems().join("\n");
        for word in ["opc.tcp://", "both ns=3;s=a", "connect_timeout_ms", "cycle_ms", "password_file"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        let good = OpcUaConfig::new("opc.tcp://10.0.4.7", node("ns=3;s=a"), node("ns=3;s=b"));
        assert!(good.problems().is_empty() && good.is_acknowledged());
        assert!(OpcUaConfig { from_plc: None, ..good }.problems().join("").contains("[plc.single]"));
    }
}
