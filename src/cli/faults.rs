//! Prints faults, all of them, one a line.

use super::exit::Exit;
use crate::fault::Fault;

pub(super) fn print(faults: &[Fault]) -> Exit {
    for fault in faults {
        eprintln!("{fault}");
    }
    let noun = if faults.len() == 1 { "fault" } else { "faults" };
    eprintln!("{} {noun}", faults.len());
    Exit::Usage
}
