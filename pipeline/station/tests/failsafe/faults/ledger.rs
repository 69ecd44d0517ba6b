//! The disk, and the database on it.

use crate::{
    cell::{
        Cell,
        Names::{Reads, Rises},
        Parts,
    },
    rig::Rig,
};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

pub(crate) fn cells() -> Vec<Cell> {
    let ledger = |fault, breaks: fn(&mut Rig), mends: fn(&mut Rig)| Cell {
        meanwhile: "degraded",
        mends,
        ..Cell::new(
            fault,
            "ledger",
            breaks,
            vec![
                Rises("plumb_store_write_errors_total", &[]),
                Reads("plumb_stage_up", &["stage=\"ledger\""], 0.0),
            ],
        )
    };
    vec![
        Cell {
            data: small_disk,
            meanwhile: "degraded",
            mends: make_room,
            parts: Parts::Judged,
            ..Cell::new("disk full", "ledger", fill, vec![Reads("plumb_storage_reserve_in_use", &[], 1.0)])
        },
        Cell { data: small_disk, ..ledger("disk full, and the reserve too", fill_to_the_last, make_room) },
        ledger("database locked by another program", lock, unlock),
    ]
}

/// A disk of 24 MB, if this machine lets us have one; the ledger sets a tenth of it aside.
fn small_disk() -> Option<PathBuf> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("disk-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&at).ok()?;
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&at).status();
    mounted.is_ok_and(|status| status.success()).then_some(at)
}

const BALLAST: [&str; 2] = ["ballast", "more ballast"];
const DATABASE: &str = "ledger.sqlite";

fn fill(rig: &mut Rig) {
    put(rig, BALLAST[0]);
}

/// First until the reserve is given up, then that as well.
fn fill_to_the_last(rig: &mut Rig) {
    put(rig, BALLAST[0]);
    assert!(
        rig.until(|rig| rig.metric("plumb_storage_reserve_in_use", &[]) == Some(1.0)),
        "the reserve is not used"
    );
    put(rig, BALLAST[1]);
}

fn put(rig: &Rig, name: &str) {
    let mut ballast = File::create(rig.data.join(name)).expect("there is room for a name");
    for piece in [&[0; 65_536][..], &[0; 512][..], &[0; 1][..]] {
        while ballast.write_all(piece).is_ok() {}
    }
}

fn make_room(rig: &mut Rig) {
    for name in BALLAST {
        let _ = fs::remove_file(rig.data.join(name)); // the second is not always there
    }
}

/// Those who hold a lock, with the folder whose ledger it is.
static HOLDERS: Mutex<Vec<(PathBuf, rusqlite::Connection)>> = Mutex::new(Vec::new());

fn lock(rig: &mut Rig) {
    let connection = rusqlite::Connection::open(rig.data.join(DATABASE)).expect("it opens");
    connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a setting");
    connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner).push((rig.data.clone(), connection));
}

fn unlock(rig: &mut Rig) {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner).retain(|(data, _)| *data != rig.data);
}
