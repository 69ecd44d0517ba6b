//! The lines of a board, by the kernel's GPIO character device.

use super::{DigitalIoConfig, InputConfig, Line};
use gpiocdev::{
    Request,
    line::{EdgeDetection, EdgeKind, Offset, Value},
};
use std::time::Duration;

/// The lines that the station drives.
pub(super) trait Outputs: Send {
    /// Sets both, and reads both back: what the board says they are now.
    ///
    /// # Errors
    /// The board's words.
    fn set(&mut self, gate: bool, alive: bool) -> Result<(bool, bool), String>;
}

/// A rise of an input that the station listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rise {
    Trigger,
    Reset,
}

/// The lines that the station listens to.
pub(super) trait Inputs: Send {
    /// Waits for the next rise, at most `limit`.
    ///
    /// # Errors
    /// The board's words.
    fn wait(&mut self, limit: Duration) -> Result<Option<Rise>, String>;
}

/// A board's lines, held until dropped: the kernel then gives them back, as it does when the process ends.
pub(super) struct Chip {
    outputs: Request,
    gate: Offset,
    alive: Option<Offset>,
}

impl Chip {
    /// Takes the outputs, both in the state that rejects.
    pub(super) fn take(config: &DigitalIoConfig, rejecting: bool) -> Result<Self, String> {
        let gate = offset(config, &config.gate.line)?;
        let alive = config.alive.as_ref().map(|alive| offset(config, &alive.line)).transpose()?;
        let mut builder = Request::builder();
        builder.on_chip(&config.chip).with_consumer("plumb");
        output(builder.with_line(gate), config.gate.active_low, rejecting);
        if let (Some(line), Some(alive)) = (alive, &config.alive) {
            output(builder.with_line(line), alive.active_low, false);
        }
        let outputs = builder.request().map_err(|error| format!("does not give its lines ({error})"))?;
        Ok(Self { outputs, gate, alive })
    }

    fn value(&self, line: Offset) -> Result<bool, String> {
        let value = self.outputs.value(line).map_err(|error| format!("cannot be read back ({error})"))?;
        Ok(value == Value::Active)
    }
}

fn output(builder: &mut gpiocdev::request::Builder, active_low: bool, active: bool) {
    let builder = if active_low { builder.as_active_low() } else { builder.as_active_high() };
    builder.as_output(if active { Value::Active } else { Value::Inactive });
}

impl Outputs for Chip {
    fn set(&mut self, gate: bool, alive: bool) -> Result<(bool, bool), String> {
        let level = |active| if active { Value::Active } else { Value::Inactive };
        let wrong = |error: gpiocdev::Error| format!("does not set its lines ({error})");
        self.outputs.set_value(self.gate, level(gate)).map_err(wrong)?;
        if let Some(line) = self.alive {
            self.outputs.set_value(line, level(alive)).map_err(wrong)?;
        }
        Ok((self.value(self.gate)?, self.alive.map_or(Ok(alive), |line| self.value(line))?))
    }
}

/// The inputs of a board.
pub(super) struct ChipInputs {
    inputs: Request,
    trigger: Option<Offset>,
}

impl ChipInputs {
    /// `None` where the config names no input.
    pub(super) fn take(config: &DigitalIoConfig) -> Result<Option<Self>, String> {
        let mut builder = Request::builder();
        builder.on_chip(&config.chip).with_consumer("plumb");
        let mut any = false;
        let mut add = |input: &Option<InputConfig>| -> Result<Option<Offset>, String> {
            let Some(input) = input else { return Ok(None) };
            let line = offset(config, &input.line)?;
            builder.with_line(line).as_input().with_edge_detection(EdgeDetection::RisingEdge);
            builder.with_debounce_period(Duration::from_micros(input.debounce_us));
            if input.active_low {
                builder.as_active_low()
            } else {
                builder.as_active_high()
            };
            any = true;
            Ok(Some(line))
        };
        let trigger = add(&config.trigger)?;
        add(&config.reset)?;
        if !any {
            return Ok(None);
        }
        let inputs = builder.request().map_err(|error| format!("does not give its inputs ({error})"))?;
        Ok(Some(Self { inputs, trigger }))
    }
}

impl Inputs for ChipInputs {
    fn wait(&mut self, limit: Duration) -> Result<Option<Rise>, String> {
        let wrong = |error: gpiocdev::Error| format!("does not tell of its inputs ({error})");
        if !self.inputs.wait_edge_event(limit).map_err(wrong)? {
            return Ok(None);
        }
        let event = self.inputs.read_edge_event().map_err(wrong)?;
        let rise = if Some(event.offset) == self.trigger { Rise::Trigger } else { Rise::Reset };
        Ok((event.kind == EdgeKind::Rising).then_some(rise))
    }
}

fn offset(config: &DigitalIoConfig, line: &Line) -> Result<Offset, String> {
    let name = match line {
        Line::Offset(offset) => return Ok(*offset),
        Line::Name(name) => name,
    };
    let chip = gpiocdev::chip::Chip::from_path(&config.chip)
        .map_err(|error| format!("cannot be opened ({error})"))?;
    let found = chip.line_info_iter().map_err(|error| format!("does not tell its lines ({error})"))?;
    let found = found.flatten().find(|info| info.name == *name);
    found
        .map(|info| info.offset)
        .ok_or_else(|| format!("has no line \"{name}\"; `gpioinfo` shows what it has"))
}
