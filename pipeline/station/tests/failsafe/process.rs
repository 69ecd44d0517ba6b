//! The binary `plumb` in a process of its own, with a wall clock that the test can set.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

/// `plumb run`, and where it serves its metrics.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    clock: PathBuf,
}

impl Process {
    /// Starts it on `station`, before a belt that has been moving since `since_ns`; returns when it is ready.
    pub(crate) fn start(station: &Path, since_ns: u64) -> Self {
        let clock = station.with_file_name("clock");
        fs::write(&clock, 0_i64.to_ne_bytes()).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command.arg("run").arg(station).args(["--line-since", &since_ns.to_string()]);
        command.env("PLUMB_TEST_CLOCK", &clock).env_remove("RUST_LOG");
        if let Some(library) = clock_library() {
            command.env("LD_PRELOAD", library);
        }
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("plumb starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                said += &format!("{line}\n");
                line.strip_prefix("console http://")?.split('/').next()?.parse().ok()
            })
            .unwrap_or_else(|| panic!("plumb did not start:\n{said}"));
        // What it says later is of no interest, but it must not block on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address, clock }
    }

    /// What `/metrics` shows; `None` while it does not answer.
    pub(crate) fn metrics(&self) -> Option<String> {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build();
        let mut answer = ureq::Agent::new_with_config(config)
            .get(format!("http://{}/metrics", self.address))
            .call()
            .ok()?;
        answer.body_mut().read_to_string().ok()
    }

    /// Somebody says that the belt is clear.
    pub(crate) fn rezero(&self) {
        let _ = ureq::post(format!("http://{}/api/v1/rezero", self.address)).send_empty();
    }

    /// Sends it SIGSTOP, or SIGCONT.
    pub(crate) fn pause(&self, stop: bool) {
        let signal = if stop { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        rustix::process::kill_process(self.pid(), signal).expect("it runs");
    }

    /// Lets it open no further file or socket, or as many as it likes.
    pub(crate) fn starve(&self, starve: bool) {
        use rustix::process::{Resource, Rlimit, prlimit};
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let current = if starve { Some(3) } else { maximum };
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current, maximum }).expect("it runs");
    }

    /// Moves its wall clock by `seconds` against everybody else's.
    pub(crate) fn set_clock(&self, seconds: i64) {
        let mut file = File::options().write(true).open(&self.clock).expect("the clock's file");
        file.write_all(&seconds.to_ne_bytes()).expect("eight bytes");
    }

    /// Stops it in order.
    pub(crate) fn stop(mut self) {
        let _ = rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }
}

/// Adds what the file says to the wall clock of a process, and to nothing else.
const CLOCK: &str = r#"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *ahead_s;
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("PLUMB_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) ahead_s = page;
    close(file);
}
static int is_wall(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }
int clock_gettime(clockid_t id, struct timespec *at) {
    int result = (int)syscall(SYS_clock_gettime, id, at);
    if (result == 0 && ahead_s && is_wall(id)) at->tv_sec += *ahead_s;
    return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// Whether [`Process::set_clock`] does anything here.
pub(crate) fn clock_can_be_set() -> bool {
    clock_library().is_some()
}

/// Built once; `None`, with a word about it, where there is no C compiler.
fn clock_library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (source, library) = (folder.join("clock.c"), folder.join("libclock.so"));
        fs::write(&source, CLOCK).ok()?;
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
        if made.is_ok_and(|status| status.success()) {
            return Some(library);
        }
        eprintln!("skipped: no `cc` to build a clock that can be moved");
        None
    };
    LIBRARY.get_or_init(build).as_deref()
}
