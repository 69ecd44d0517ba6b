//! Modbus TCP client: the station is the master. One FC23 a cycle writes words 10–19 and reads words 0–9, so that
//! handshake and verdict travel together; a PLC without FC23 gets FC16 and FC3.

use super::{ModbusTcpConfig, tls};
use crate::{
    LinkFaultKind, PlcError,
    protocol::{
        cyclic::{Fault, Wire},
        stream::{self, connect_fault},
    },
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use rustls::pki_types::ServerName;
use std::io;
use tokio_modbus::{
    ExceptionCode, Request, Response, Slave,
    client::{Client, Context, tcp},
};
use tokio_rustls::TlsConnector;

/// The station as Modbus master.
pub(super) struct ModbusTcpClient {
    config: ModbusTcpConfig,
    /// With the name that the PLC's certificate must be for.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    plc: Option<Context>,
    /// Until the PLC says that it does not know FC23. Asked anew on each connection: PLCs get exchanged.
    one_transaction: bool,
}

impl ModbusTcpClient {
    /// # Errors
    /// Files of `tls` that cannot be used.
    pub(super) fn new(config: ModbusTcpConfig) -> Result<Self, PlcError> {
        let tls = config.tls.as_ref().map(|tls| tls.connector(&config.address)).transpose();
        let tls = tls.map_err(|problems| PlcError::Config { problems })?;
        Ok(Self { config, tls, plc: None, one_transaction: true })
    }

    async fn write_then_read(&mut self, words: &Words) -> Result<Words, Fault> {
        let base = self.config.base;
        let write = Request::WriteMultipleRegisters(base + HALF_WORDS as u16, words.as_slice().into());
        self.call(write).await?.map_err(|exception| self.refused(exception))?;
        let read = Request::ReadHoldingRegisters(base, HALF_WORDS as u16);
        words_of(self.call(read).await?.map_err(|exception| self.refused(exception))?)
    }

    async fn call(&mut self, request: Request<'_>) -> Result<Result<Response, ExceptionCode>, Fault> {
        let plc = self.plc.as_mut().expect("connected before anything is exchanged");
        // `call` and not the named methods: those assert the length of what the PLC sent.
        match plc.call(request).await {
            Ok(answered) => Ok(answered),
            Err(tokio_modbus::Error::Transport(error)) => Err(self.transport_fault(&error)),
            Err(tokio_modbus::Error::Protocol(error)) => Err((
                LinkFaultKind::WrongAnswer,
                format!(
                    "sent what is not an answer to the question ({error}); check that it is a Modbus TCP device"
                ),
            )),
        }
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

    fn transport_fault(&self, error: &io::Error) -> Fault {
        if let Some(fault) = tls::fault(error) {
            return fault;
        }
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                (LinkFaultKind::WrongAnswer, format!("sent what is not Modbus ({error})"))
            }
            _ if self.tls.is_some() => (
                LinkFaultKind::Closed,
                "closed the connection; at once, it may not take the station's certificate, or speak no TLS: its own \
                 log says more"
                    .to_owned(),
            ),
            // At the end of a stream tokio-modbus gives whatever error the thread had last, so its text means nothing.
            _ => (LinkFaultKind::Closed, "closed the connection".to_owned()),
        }
    }
}

impl Wire for ModbusTcpClient {
    async fn connect(&mut self) -> Result<(), Fault> {
        self.one_transaction = true;
        let stream = stream::connect(&self.config.address).await.map_err(|error| connect_fault(&error))?;
        let unit = Slave(self.config.unit);
        self.plc = Some(match &self.tls {
            None => tcp::attach_slave(stream, unit),
            Some((connector, name)) => {
                let secured = connector.connect(name.clone(), stream).await;
                tcp::attach_slave(secured.map_err(|error| self.transport_fault(&error))?, unit)
            }
        });
        Ok(())
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let read = Request::ReadHoldingRegisters(self.config.base, BLOCK_WORDS as u16);
        block_of(self.call(read).await?.map_err(|exception| self.refused(exception))?)
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        if !self.one_transaction {
            return self.write_then_read(station).await;
        }
        let (base, half) = (self.config.base, HALF_WORDS as u16);
        let both = Request::ReadWriteMultipleRegisters(base, half, base + half, station.as_slice().into());
        match self.call(both).await? {
            Ok(response) => words_of(response),
            Err(ExceptionCode::IllegalFunction) => {
                self.one_transaction = false;
                self.write_then_read(station).await
            }
            Err(exception) => Err(self.refused(exception)),
        }
    }
}

fn block_of(response: Response) -> Result<[u16; BLOCK_WORDS], Fault> {
    let Response::ReadHoldingRegisters(words) = response else { return Err(cut_short(0, BLOCK_WORDS)) };
    <[u16; BLOCK_WORDS]>::try_from(words.as_slice()).map_err(|_| cut_short(words.len(), BLOCK_WORDS))
}

fn cut_short(got: usize, wanted: usize) -> Fault {
    (LinkFaultKind::WrongAnswer, format!("sent {got} words, expected {wanted}; check the PLC's firmware"))
}

fn words_of(response: Response) -> Result<Words, Fault> {
    let words = match response {
        Response::ReadWriteMultipleRegisters(words) | Response::ReadHoldingRegisters(words) => words,
        _ => Vec::new(),
    };
    Words::try_from(words.as_slice()).map_err(|_| cut_short(words.len(), HALF_WORDS))
}
