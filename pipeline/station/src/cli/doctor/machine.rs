//! Is this machine set up to answer in time? What the kernel shows of clocks, buffers, packets and ports, held against
//! what the station's config needs. Says nothing of what the kernel does not show, as in a container.

use super::{Look, ok, warn};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A GigE camera's frame is megabytes at wire speed; this holds one while the receiver is away.
const RECEIVE_BUFFER_MIN: u64 = 8 << 20;
/// A jumbo frame's 9000 less what switches take of it.
const MTU_MIN: u32 = 8_000;

/// What the station will do here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// It receives GigE Vision.
    pub(super) gige: bool,
    /// Ports it serves; an outgoing connection must not be given one.
    pub(super) ports: Vec<u16>,
}

/// Looks at the kernel's files below `root`, which is `/` but in tests.
pub(super) fn machine(root: &Path, needs: &Needs) -> Vec<Look> {
    let mut looks = Vec::new();
    looks.extend(governor(root));
    looks.extend(isolated(root));
    if needs.gige {
        looks.extend(receive_buffer(root));
        looks.extend(jumbo_frames(root));
    }
    looks.extend(reserved_ports(root, &needs.ports));
    looks
}

/// A processor that slows down between two parts is slow when the next one comes.
fn governor(root: &Path) -> Option<Look> {
    let cpus = entries(&root.join("sys/devices/system/cpu"));
    let governors = cpus.iter().filter_map(|cpu| read(&cpu.join("cpufreq/scaling_governor")));
    let mut saving: Vec<String> = governors.collect();
    if saving.is_empty() {
        return None;
    }
    saving.retain(|governor| governor != "performance");
    saving.sort();
    saving.dedup();
    Some(if saving.is_empty() {
        ok("processor: runs at full clock (governor performance)")
    } else {
        warn(
            format!(
                "processor: saves power (governor {}); parts after a pause are slower",
                saving.join(", ")
            ),
            "cpupower frequency-set -g performance, and keep it so over a restart",
        )
    })
}

/// Good to know, and no fault where there are none.
fn isolated(root: &Path) -> Option<Look> {
    let cores = read(&root.join("sys/devices/system/cpu/isolated"))?;
    (!cores.is_empty()).then(|| ok(format!("processor: cores {cores} are kept for whoever asks for them")))
}

fn receive_buffer(root: &Path) -> Option<Look> {
    let most: u64 = read(&root.join("proc/sys/net/core/rmem_max"))?.parse().ok()?;
    let what = format!("network: sockets may buffer {} kB of a camera's frame", most / 1024);
    Some(if most < RECEIVE_BUFFER_MIN {
        warn(what, "sysctl net.core.rmem_max=33554432; deploy/systemd/60-plumb.conf does it at each start")
    } else {
        ok(what)
    })
}

/// One interface with jumbo frames is enough: which one the camera hangs on is not known here.
fn jumbo_frames(root: &Path) -> Option<Look> {
    let interfaces = entries(&root.join("sys/class/net"));
    let mut up: Vec<(u32, String)> = interfaces
        .iter()
        .filter(|interface| read(&interface.join("operstate")).as_deref() == Some("up"))
        .filter_map(|interface| {
            let name = interface.file_name()?.to_string_lossy().into_owned();
            Some((read(&interface.join("mtu"))?.parse().ok()?, name))
        })
        .collect();
    up.sort();
    let (mtu, name) = up.last()?;
    Some(if *mtu >= MTU_MIN {
        ok(format!("network: {name} takes packets of {mtu} bytes"))
    } else {
        warn(
            format!(
                "network: no interface takes packets longer than {mtu} bytes; a camera at full speed loses some"
            ),
            "ip link set INTERFACE mtu 9000, and the same on switch and camera",
        )
    })
}

fn reserved_ports(root: &Path, ports: &[u16]) -> Option<Look> {
    let read_numbers = |file: &str| read(&root.join(file));
    let reserved = read_numbers("proc/sys/net/ipv4/ip_local_reserved_ports")?;
    let given = read_numbers("proc/sys/net/ipv4/ip_local_port_range")?;
    let mut given = given.split_whitespace().filter_map(|port| port.parse::<u16>().ok());
    let (from, to) = (given.next()?, given.next()?);
    let is_reserved = |port: u16| {
        reserved.split(',').any(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let bounds = first.trim().parse().ok().zip(last.trim().parse().ok());
            bounds.is_some_and(|(first, last): (u16, u16)| (first..=last).contains(&port))
        })
    };
    let at_risk: Vec<String> = ports
        .iter()
        .filter(|port| (from..=to).contains(port) && !is_reserved(**port))
        .map(u16::to_string)
        .collect();
    if at_risk.is_empty() {
        return None;
    }
    let list = at_risk.join(",");
    Some(warn(
        format!("network: port {list} may be given to an outgoing connection before the station serves it"),
        format!(
            "sysctl net.ipv4.ip_local_reserved_ports={list}; deploy/systemd/60-plumb.conf does it at each start"
        ),
    ))
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Grade;

    /// A kernel that shows `files`.
    fn kernel(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            fs::write(file, format!("{text}\n")).expect("a file");
        }
        root
    }

    fn grades(files: &[(&str, &str)], needs: &Needs) -> Vec<(Grade, String)> {
        let root = kernel(files);
        machine(root.path(), needs).into_iter().map(|look| (look.grade, look.what)).collect()
    }

    fn all() -> Needs {
        Needs { gige: true, ports: vec![8080, 44818, 50_000] }
    }

    #[test]
    fn a_machine_as_it_comes_is_warned_of_by_what_it_costs() {
        let said = grades(
            &[
                ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
                ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil"),
                ("sys/devices/system/cpu/isolated", ""),
                ("proc/sys/net/core/rmem_max", "212992"),
                ("sys/class/net/eth0/operstate", "up"),
                ("sys/class/net/eth0/mtu", "1500"),
                ("sys/class/net/eth1/operstate", "down"),
                ("sys/class/net/eth1/mtu", "9000"),
                ("proc/sys/net/ipv4/ip_local_reserved_ports", "40000-45000"),
                ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999"),
            ],
            &all(),
        );
        assert!(said.iter().all(|(grade, _)| *grade == Grade::Warn), "{said:?}");
        let words = ["governor schedutil", "208 kB", "longer than 1500 bytes", "port 50000 may"];
        for (word, (_, what)) in words.iter().zip(&said) {
            assert!(what.contains(word), "{what} lacks {word}");
        }
        assert_eq!(said.len(), words.len(), "{said:?}");
    }

    #[test]
    fn a_machine_that_is_set_up_is_told_so_and_what_it_does_not_need_is_not_looked_at() {
        let files = [
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
            ("sys/devices/system/cpu/isolated", "2-7"),
            ("proc/sys/net/core/rmem_max", "33554432"),
            ("sys/class/net/eth1/operstate", "up"),
            ("sys/class/net/eth1/mtu", "9000"),
            ("proc/sys/net/ipv4/ip_local_reserved_ports", "2222,44818,50000"),
            ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999"),
        ];
        let said = grades(&files, &all());
        assert!(said.len() == 4 && said.iter().all(|(grade, _)| *grade == Grade::Ok), "{said:?}");
        assert_eq!(grades(&files, &Needs::default()).len(), 2, "no camera on the network, no port to serve");
        assert!(grades(&[], &all()).is_empty(), "a container shows nothing");
    }
}
