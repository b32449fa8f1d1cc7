//! What the command line asks for.

use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;

use crate::QUICK;
use crate::WHOLE;
use crate::harness::figures::Extent;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) extent: Extent,
    /// Measure two gateways beyond their capacity instead.
    pub(crate) overload: bool,
    /// Envoy's program, which no package of the system has.
    pub(crate) envoy: PathBuf,
    /// Those alone whose names begin so; all if there are none.
    only: Vec<String>,
    /// Without the extension.
    pub(crate) results: PathBuf,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench/compare");
        let mut options = Self {
            extent: WHOLE,
            overload: false,
            envoy: PathBuf::from("envoy"),
            only: Vec::new(),
            results: root.join("benches/compare/results"),
        };
        let mut rounds = None;
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().copied();
            match word {
                // Cargo says so to every bench.
                "--bench" => {}
                "--overload" => options.overload = true,
                "--quick" => {
                    options.extent = QUICK;
                    options.results.clone_from(&target);
                }
                "--rounds" => rounds = value().and_then(|rounds| rounds.parse().ok()),
                "--envoy" => options.envoy = value().unwrap_or("envoy").into(),
                "--only" => {
                    options.only.extend(value().map(str::to_owned));
                    options.results.clone_from(&target);
                }
                other => bail!("`{other}` is not known: benches/README.md has what is"),
            }
        }
        options.extent.rounds = rounds.unwrap_or(options.extent.rounds).max(1);
        Ok(options)
    }

    pub(crate) fn wants(&self, contender: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| contender.starts_with(name))
    }
}
