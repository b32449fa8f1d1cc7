//! The network under the connections between two gateways: packets get lost, come twice, and overtake one another.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use super::World;
use super::edit;

/// Where packets are sent that come back to this machine, as `packets.py` has it.
const FAR: &str = "198.18.7.2";

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Of packets, as a probability.
    pub(crate) lost: f64,
    pub(crate) repeated: f64,
    /// The longest that a packet takes, in seconds; less than another, and it overtakes that one.
    pub(crate) delay: f64,
}

/// Runs until it is dropped.
pub(crate) struct Packets(Child);

impl Packets {
    /// Between a department's gateway and the others; to be called before any of them reads the directory. Nothing where
    /// such a network cannot be made: it takes root, and a TUN device.
    pub(crate) fn to(world: &World, department: &str, weather: Weather, seed: u64) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/harness/packets.py");
        let device = format!("lossy{}", std::process::id());
        let numbers =
            [weather.lost, weather.repeated, weather.delay].map(|number| number.to_string());
        let mut child = Command::new("python3")
            .arg(program)
            .args([device, seed.to_string()])
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        if line != "ready\n" {
            child.wait().unwrap();
            return None;
        }
        let port = world.ports(department).peers;
        edit(
            &world.path("config/directory.toml"),
            &format!("127.0.0.1:{port}\""),
            &format!("{FAR}:{port}\""),
        );
        Some(Self(child))
    }

    /// Ends it; how many packets there were, and how many of them got lost.
    pub(crate) fn counted(mut self) -> (u64, u64) {
        drop(self.0.stdin.take());
        let mut line = String::new();
        let out = self.0.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let (all, lost) = line.trim().split_once(' ').unwrap();
        (all.parse().unwrap(), lost.parse().unwrap())
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
