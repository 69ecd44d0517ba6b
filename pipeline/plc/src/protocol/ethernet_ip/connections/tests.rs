use super::*;
use crate::protocol::ethernet_ip::{
    forward_open::{ForwardOpen, tests::of_an_owner},
    packet,
};

const PLC: Ipv4Addr = Ipv4Addr::new(10, 0, 4, 7);
const HMI: Ipv4Addr = Ipv4Addr::new(10, 0, 4, 8);
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 192, 1, 32), 2222);
const MS_10: Duration = Duration::from_millis(10);

fn from(plc: Ipv4Addr) -> Origin {
    Origin { plc, port: 2222, group: GROUP }
}

fn owner() -> ForwardOpen {
    ForwardOpen::decode(&of_an_owner(), false).unwrap()
}

/// One that looks on, as connection number `serial`.
fn onlooker(heartbeat: u32, travel: Travel, serial: u16) -> ForwardOpen {
    let mut wanted = owner();
    (wanted.triad.0, wanted.from_plc.size, wanted.to_plc.travel) = (serial, 2, travel);
    *wanted.path.iter_mut().find(|step| **step == Segment::Point(OUTPUT_ASSEMBLY)).unwrap() =
        Segment::Point(heartbeat);
    wanted
}

/// The id that the packets of the scanner must carry.
fn id_of(opened: &Opened) -> u32 {
    u32::from_le_bytes(opened.reply[..4].try_into().unwrap())
}

fn says(id: u32, sequence: u32, run: u8, first: u8) -> Vec<u8> {
    let mut packet = packet::encode(id, sequence, &[0; ASSEMBLY_BYTES]);
    packet[16] = packet::OUTPUT_BYTES as u8;
    packet.splice(20.., [&[run, 0, 0, 0, first], [0; ASSEMBLY_BYTES - 1].as_slice()].concat());
    packet
}

fn refused(io: &mut Connections, wanted: &ForwardOpen) -> u16 {
    let before = io.open.len();
    let refusal = io.open(wanted, from(PLC), Instant::now()).unwrap_err();
    assert_eq!((refusal.general, io.open.len()), (1, before));
    refusal.extended[0]
}

#[test]
fn an_owner_is_heard_and_gets_packets_at_its_pace() {
    let (mut io, now) = (Connections::new(1), Instant::now());
    let mut wanted = owner();
    wanted.to_plc.travel = Travel::PointToPoint;
    let opened = io.open(&wanted, from(PLC), now).unwrap();
    assert_eq!((opened.kind, opened.multicast), (Kind::Owner, false));
    assert_eq!(opened.reply[4..8], wanted.to_plc_id.to_le_bytes(), "its own id for what it gets");
    assert_eq!(io.status(), 0x71, "owned, idle");

    let heard = io.heard(&says(id_of(&opened), 1, 1, 42), PLC, now).unwrap();
    assert_eq!(heard.output.unwrap()[0], 42);
    assert_eq!((io.status(), io.output[0]), (0x61, 42), "owned, running");

    let sent = io.produce([9; ASSEMBLY_BYTES], now);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].to, sent[0].owner), (SocketAddrV4::new(PLC, 2222), io.owner_id()));
    assert_eq!(io.produce([9; ASSEMBLY_BYTES], now + MS_10 / 2), []);
    assert_eq!(io.next(), Some(now + MS_10));
    let late = now + 5 * MS_10;
    assert_eq!(io.produce([9; ASSEMBLY_BYTES], late).len(), 1, "what was left out is not made up for");
    assert_eq!(io.next().map(|next| next.max(late + MS_10)), Some(late + MS_10));
}

#[test]
fn a_packet_that_is_old_short_or_somebody_elses_says_nothing() {
    let (mut io, now) = (Connections::new(1), Instant::now());
    let id = id_of(&io.open(&owner(), from(PLC), now).unwrap());
    assert!(io.heard(&says(id, u32::MAX, 1, 1), PLC, now).is_some());
    assert!(io.heard(&says(id, u32::MAX, 1, 2), PLC, now).is_none(), "twice");
    assert!(io.heard(&says(id, u32::MAX - 5, 1, 2), PLC, now).is_none(), "overtaken");
    assert!(io.heard(&says(id, 3, 1, 2), HMI, now).is_none(), "from another address");
    assert!(io.heard(&says(id + 1, 3, 1, 2), PLC, now).is_none(), "on another connection");
    assert!(io.heard(&says(id, 3, 1, 2)[..40], PLC, now).is_none());
    assert_eq!(io.output[0], 1);
    assert!(io.heard(&says(id, 3, 1, 2), PLC, now).is_some(), "the number has begun anew");
}

#[test]
fn what_a_controller_in_program_mode_sends_is_not_believed_and_keeps_the_connection() {
    let (mut io, now) = (Connections::new(1), Instant::now());
    let id = id_of(&io.open(&owner(), from(PLC), now).unwrap());
    io.heard(&says(id, 1, 1, 7), PLC, now);
    let later = now + 3 * MS_10;
    assert_eq!(io.heard(&says(id, 2, 0, 99), PLC, later), Some(Heard { output: None }));
    assert_eq!((io.output[0], io.status()), (7, 0x71));
    assert_eq!(io.expire(now + 5 * MS_10), []);
}

#[test]
fn a_silent_owner_is_gone_after_its_own_timeout_and_another_may_come() {
    let (mut io, now) = (Connections::new(1), Instant::now());
    let id = id_of(&io.open(&owner(), from(PLC), now).unwrap());
    assert_eq!(refused(&mut io, &owner()), refusal::IN_USE);
    let mut another = owner();
    another.triad.2 = 99;
    assert_eq!(refused(&mut io, &another), refusal::OWNERSHIP);

    assert_eq!(io.expire(now + Duration::from_secs(9)), [], "it has not said its first word yet");
    let first = now + Duration::from_secs(9);
    io.heard(&says(id, 1, 1, 7), PLC, first);
    assert_eq!(io.expire(first + 4 * MS_10 - Duration::from_millis(1)), []);
    let silent = 4 * MS_10;
    let gone = Gone { kind: Kind::Owner, plc: PLC, silent_for: Some(silent) };
    assert_eq!(io.expire(first + silent), [gone]);
    assert_eq!((io.status(), io.output[0]), (0x20, 0), "faulted; nothing of it is left");
    assert_eq!(io.next(), None);
    assert!(io.open(&another, from(PLC), first).is_ok());
}

#[test]
fn onlookers_share_a_stream_and_listeners_end_with_it() {
    let (mut io, now) = (Connections::new(1), Instant::now());
    let listener = onlooker(LISTEN_ONLY_HEARTBEAT, Travel::Multicast, 20);
    assert_eq!(refused(&mut io, &listener), refusal::NOTHING_TO_LISTEN_TO);
    io.open(&owner(), from(PLC), now).unwrap();
    assert!(io.open(&listener, from(HMI), now).unwrap().multicast);
    io.open(&onlooker(INPUT_ONLY_HEARTBEAT, Travel::Multicast, 21), from(HMI), now).unwrap();
    let alone = onlooker(INPUT_ONLY_HEARTBEAT, Travel::PointToPoint, 22);
    io.open(&alone, from(HMI), now).unwrap();
    let sent: Vec<_> = io.produce([1; ASSEMBLY_BYTES], now).iter().map(|due| (due.to, due.owner)).collect();
    assert_eq!(sent, [(GROUP, io.owner_id()), (SocketAddrV4::new(HMI, 2222), None)]);

    assert_eq!(io.close(owner().triad).len(), 1, "the input-only one keeps the stream");
    assert_eq!(io.produce([1; ASSEMBLY_BYTES], now + MS_10).len(), 2);
    let gone: Vec<_> = io.close((21, 1, owner().triad.2)).iter().map(|gone| gone.kind).collect();
    assert_eq!(gone, [Kind::InputOnly, Kind::ListenOnly]);
    assert_eq!(io.produce([1; ASSEMBLY_BYTES], now + 2 * MS_10).len(), 1);
    assert_eq!(io.close((20, 1, owner().triad.2)), []);
}

#[test]
fn those_who_look_on_are_seven_and_leave_the_owner_its_place() {
    let (mut io, now) = (Connections::new(1), Instant::now());
    let looks_on = |serial| onlooker(INPUT_ONLY_HEARTBEAT, Travel::PointToPoint, serial);
    for serial in 100..107 {
        io.open(&looks_on(serial), from(HMI), now).unwrap();
    }
    assert_eq!(refused(&mut io, &looks_on(107)), refusal::NO_MORE_CONNECTIONS);
    io.open(&owner(), from(PLC), now).unwrap();
    assert_eq!(refused(&mut io, &looks_on(107)), refusal::NO_MORE_CONNECTIONS);

    assert_eq!(io.close(looks_on(100).triad).len(), 1);
    io.open(&looks_on(107), from(HMI), now).unwrap();
    assert_eq!(io.expire(now + FIRST_PACKET).len(), 8, "none of them has ever said a word");
    assert_eq!((io.open.len(), io.streams.len(), io.next()), (0, 0, None));
    io.open(&looks_on(108), from(HMI), now).unwrap();
}

#[test]
fn each_thing_that_can_be_set_wrong_has_its_own_refusal() {
    type Change = fn(&mut ForwardOpen);
    let rows: [(&str, Change, u16); 15] = [
        ("output size", |open| open.from_plc.size = 30, refusal::FROM_PLC_SIZE),
        ("input size", |open| open.to_plc.size = 100, refusal::TO_PLC_SIZE),
        ("output instance", |open| open.path[3] = Segment::Point(100), refusal::FROM_PLC_POINT),
        ("input instance", |open| open.path[4] = Segment::Point(150), refusal::TO_PLC_POINT),
        ("configuration instance", |open| open.path[2] = Segment::Instance(1), refusal::PATH),
        ("configuration data", |open| open.path.push(Segment::Data(vec![0, 0])), refusal::CONFIGURATION_SIZE),
        ("too quick", |open| open.to_plc.interval = Duration::from_micros(500), refusal::PACKET_INTERVAL),
        ("too slow", |open| open.from_plc.interval = Duration::from_secs(1), refusal::PACKET_INTERVAL),
        ("class 0", |open| open.class = 0, refusal::TRANSPORT),
        ("change of state", |open| open.trigger = 1, refusal::TRANSPORT),
        ("output multicast", |open| open.from_plc.travel = Travel::Multicast, refusal::NETWORK_PARAMETERS),
        ("no input", |open| open.to_plc.travel = Travel::Nowhere, refusal::NETWORK_PARAMETERS),
        ("another maker", |open| open.path[0] = key(5, 0, 0), refusal::VENDOR_OR_PRODUCT),
        ("another kind", |open| open.path[0] = key(0, 5, 0), refusal::DEVICE_TYPE),
        ("another revision", |open| open.path[0] = key(0, 0, 5), refusal::REVISION),
    ];
    for (what, change, extended) in rows {
        let mut wanted = owner();
        change(&mut wanted);
        assert_eq!(refused(&mut Connections::new(1), &wanted), extended, "{what}");
    }
    let mut wanted = owner();
    wanted.path[0] = key(0, 0x2B, 1);
    (wanted.from_plc.size, wanted.to_plc.size) = (24, 20);
    assert!(
        Connections::new(1).open(&wanted, from(PLC), Instant::now()).is_ok(),
        "without the sequence count"
    );
}

fn key(vendor: u16, device_type: u16, major: u8) -> Segment {
    Segment::Key { vendor, device_type, product: 0, major, minor: 0, compatible: false }
}
