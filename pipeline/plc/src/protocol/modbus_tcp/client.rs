//! Modbus TCP client: the station is the master. One FC23 a cycle writes words 10–19 and reads words 0–9, so that
//! handshake and verdict travel together; a PLC without FC23 gets FC16 and FC3.

use super::ModbusTcpConfig;
use crate::{
    LinkFaultKind, Timing,
    port::Port,
    protocol::{Broken, Ended, Protocol, Session},
    register_map::{FromPlc, HALF_WORDS, ToPlc, Words},
};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_modbus::{
    ExceptionCode, Request, Response, Slave,
    client::{Client, Context, tcp},
};

/// The station as Modbus master.
#[derive(Debug)]
pub(super) struct ModbusTcpClient {
    config: ModbusTcpConfig,
    /// Until the PLC says that it does not know FC23. Asked anew on each connection: PLCs get exchanged.
    one_transaction: bool,
}

impl ModbusTcpClient {
    pub(super) fn new(config: ModbusTcpConfig) -> Self {
        Self { config, one_transaction: true }
    }

    async fn serve(&mut self, port: &Port) -> Ended {
        let mut was_up = false;
        match self.exchange_until_closed(port, &mut was_up).await {
            Ok(()) => Ended::Closed,
            Err((kind, what)) => Ended::Broken(Broken { kind, what, was_up }),
        }
    }

    async fn exchange_until_closed(&mut self, port: &Port, was_up: &mut bool) -> Result<(), Fault> {
        self.one_transaction = true;
        let mut plc = self.connect().await?;
        port.connected(&self.config.address);
        loop {
            let block = port.outgoing();
            let asked_at = Instant::now();
            self.write(&mut plc, port, &block, asked_at).await?;
            *was_up = true;
            if port.may_end() {
                // The PLC should find nothing in the block that could be taken for an answer.
                port.step(|shake, _| shake.abandon());
                return self.write(&mut plc, port, &port.outgoing(), Instant::now()).await;
            }
            // What the PLC just said may want an answer in the block (TriggerAck, ResultsValid): that goes at once.
            let next = port.outgoing();
            if (ToPlc { heartbeat: block.heartbeat, ..next }) == block {
                let rest = Duration::from_millis(self.config.cycle_ms).saturating_sub(asked_at.elapsed());
                // Either the station has something new or the cycle is over: both mean "write".
                let _ = timeout(rest, port.changed()).await;
            }
        }
    }

    async fn connect(&self) -> Result<Context, Fault> {
        let address = &self.config.address;
        let stream = match timeout(self.config.timeout(), TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(|error| connect_fault(&error))?,
            Err(_) => return Err(self.no_answer("did not take the connection")),
        };
        // An answer of 40 bytes must not wait for the acknowledgement of the one before.
        stream.set_nodelay(true).map_err(|error| connect_fault(&error))?;
        Ok(tcp::attach_slave(stream, Slave(self.config.unit)))
    }

    /// One exchange: the PLC has `block` when this returns `Ok`, and what it said has been heard.
    async fn write(
        &mut self,
        plc: &mut Context,
        port: &Port,
        block: &ToPlc,
        asked_at: Instant,
    ) -> Result<(), Fault> {
        let base = self.config.base;
        let words = block.encode();
        let said = if self.one_transaction {
            let both = Request::ReadWriteMultipleRegisters(
                base,
                HALF_WORDS as u16,
                base + HALF_WORDS as u16,
                words.as_slice().into(),
            );
            match self.call(plc, both).await? {
                Ok(response) => words_of(response)?,
                Err(ExceptionCode::IllegalFunction) => {
                    self.one_transaction = false;
                    self.write_then_read(plc, &words).await?
                }
                Err(exception) => return Err(self.refused(exception)),
            }
        } else {
            self.write_then_read(plc, &words).await?
        };
        port.round_trip(asked_at.elapsed(), block.status.results_valid);
        port.delivered(block);
        port.incoming(&FromPlc::decode(&said));
        Ok(())
    }

    async fn write_then_read(&self, plc: &mut Context, words: &Words) -> Result<Words, Fault> {
        let base = self.config.base;
        let write = Request::WriteMultipleRegisters(base + HALF_WORDS as u16, words.as_slice().into());
        self.call(plc, write).await?.map_err(|exception| self.refused(exception))?;
        let read = Request::ReadHoldingRegisters(base, HALF_WORDS as u16);
        words_of(self.call(plc, read).await?.map_err(|exception| self.refused(exception))?)
    }

    /// tokio-modbus waits for ever, so each request has its limit here. A connection that missed it is given up:
    /// its answer might still come, and be taken for the next one's.
    async fn call(
        &self,
        plc: &mut Context,
        request: Request<'_>,
    ) -> Result<Result<Response, ExceptionCode>, Fault> {
        // `call` and not the named methods: those assert the length of what the PLC sent.
        match timeout(self.config.timeout(), plc.call(request)).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(tokio_modbus::Error::Transport(error))) => Err(transport_fault(&error)),
            Ok(Err(tokio_modbus::Error::Protocol(error))) => Err((
                LinkFaultKind::WrongAnswer,
                format!(
                    "sent what is not an answer to the question ({error}); check that it is a Modbus TCP device"
                ),
            )),
            Err(_) => Err(self.no_answer("did not answer")),
        }
    }

    fn no_answer(&self, did_not: &str) -> Fault {
        (LinkFaultKind::Timeout, format!("{did_not} within {} ms", self.config.timeout_ms))
    }

    fn refused(&self, exception: ExceptionCode) -> Fault {
        let (base, last, unit) = (self.config.base, self.config.base + 19, self.config.unit);
        let advice = match exception {
            ExceptionCode::IllegalDataAddress => "check plc.base and the PLC's register table",
            ExceptionCode::ServerDeviceFailure | ExceptionCode::GatewayTargetDevice => "check plc.unit",
            _ => "check the PLC's Modbus settings",
        };
        let what =
            format!("refused holding registers {base} to {last} of unit {unit} ({exception}); {advice}");
        (LinkFaultKind::Exception, what)
    }
}

impl Protocol for ModbusTcpClient {
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a> {
        Box::pin(self.serve(port))
    }

    fn timing(&self) -> Timing {
        self.config.handshake
    }

    fn backoff(&self) -> (Duration, Duration) {
        self.config.backoff()
    }

    fn peer(&self) -> String {
        self.config.address.clone()
    }
}

/// Kind, and what reads after the PLC's name.
type Fault = (LinkFaultKind, String);

fn words_of(response: Response) -> Result<Words, Fault> {
    let words = match response {
        Response::ReadWriteMultipleRegisters(words) | Response::ReadHoldingRegisters(words) => words,
        _ => Vec::new(),
    };
    Words::try_from(words.as_slice()).map_err(|_| {
        let what = format!("sent {} words, expected {HALF_WORDS}; check the PLC's firmware", words.len());
        (LinkFaultKind::WrongAnswer, what)
    })
}

fn connect_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (LinkFaultKind::Refused, "refused the connection".to_owned()),
        _ => (LinkFaultKind::Unreachable, format!("cannot be reached ({error})")),
    }
}

fn transport_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            (LinkFaultKind::WrongAnswer, format!("sent what is not Modbus ({error})"))
        }
        // At the end of a stream tokio-modbus gives whatever error the thread had last, so its text means nothing.
        _ => (LinkFaultKind::Closed, "closed the connection".to_owned()),
    }
}
