//! The PLC and the network between.

use crate::{
    cell::{
        Cell,
        Names::{Reads, Rises},
        Parts, lasts,
    },
    rig::Rig,
};
use plumb_plc::simulator::Fault;

const DOWN: crate::cell::Names = Reads("plumb_plc_link_up", &[], 0.0);

pub(crate) fn cells() -> Vec<Cell> {
    let plc = |fault, breaks: fn(&mut Rig), names| Cell {
        meanwhile: "degraded",
        mends: |rig| rig.plc.set_fault(Fault::None),
        ..Cell::new(fault, "plc", breaks, names)
    };
    let errors = "plumb_plc_errors_total";
    vec![
        plc(
            "PLC gone, and back",
            |rig| rig.plc.set_fault(Fault::Gone),
            vec![DOWN, Rises(errors, &["kind=\"refused\""])],
        ),
        Cell {
            parts: Parts::JudgedOrRejected,
            meanwhile: "",
            ..plc(
                "PLC switched off and on",
                |rig| rig.plc.restart(),
                vec![Rises(errors, &["kind=\"closed\""])],
            )
        },
        plc(
            "PLC's program stopped",
            |rig| rig.plc.set_fault(Fault::Frozen),
            vec![DOWN, Rises(errors, &["kind=\"heartbeat_lost\""])],
        ),
        plc(
            "PLC deaf",
            |rig| rig.plc.set_fault(Fault::Deaf),
            vec![DOWN, Rises(errors, &["kind=\"timeout\""])],
        ),
        plc(
            "PLC answers wrongly",
            |rig| rig.plc.set_fault(Fault::WrongAnswers),
            vec![DOWN, Rises(errors, &["kind=\"wrong_answer\""])],
        ),
        Cell {
            parts: Parts::JudgedOrRejected,
            ..plc(
                "PLC hangs up again and again",
                |rig| rig.plc.set_fault(Fault::Rude),
                vec![Rises(errors, &["kind=\"closed\""])],
            )
        },
        Cell {
            mends: |rig| rig.relay.cut(false),
            relayed: true,
            ..plc(
                "network cut for 5 s",
                |rig| {
                    rig.relay.cut(true);
                    lasts(5.0);
                },
                vec![DOWN, Rises(errors, &["kind=\"timeout\""])],
            )
        },
        // Shorter than anybody's patience: nothing is lost, and what was held up arrives.
        Cell {
            meanwhile: "running",
            parts: Parts::JudgedOrRejected,
            mends: |rig| rig.relay.cut(false),
            relayed: true,
            ..plc(
                "network cut for 0.2 s",
                |rig| {
                    rig.relay.cut(true);
                    lasts(0.2);
                    rig.relay.cut(false);
                },
                vec![],
            )
        },
    ]
}
