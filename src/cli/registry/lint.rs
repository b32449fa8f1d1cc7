//! `registry lint`: what makes a schema hard to read or to use.

use std::io;
use std::io::Write;

use clap::Args;
use serde_json::json;

use super::Root;
use super::compile;
use super::path_of;
use crate::cli::exit::Exit;
use crate::cli::exit::Run;
use crate::cli::output::OutputOptions;
use crate::registry::lint::lint;

#[derive(Args)]
#[command(after_help = "Examples:
  landbridge registry lint
  landbridge registry lint proto/registry --json

Remarks are on names, on comments that lack, on numbers that are neither used nor reserved, on fields of a record that
state no sensitivity, and on records without a Chinese title. Where buf lint has the rule, it has this name.

Exit codes: 0 no remarks, 1 remarks, 64 the registry does not compile.")]
pub(super) struct LintArgs {
    #[command(flatten)]
    root: Root,
}

impl LintArgs {
    pub(super) fn run(self, output: &OutputOptions) -> Run {
        let root = &self.root.root;
        let remarks = lint(compile(root)?.pool());
        let is_json = output.for_one()?;
        let mut out = io::stdout().lock();
        for remark in &remarks {
            let file = path_of(root, &remark.file);
            let (line, rule) = (remark.line, remark.rule);
            let (element, message) = (&remark.element, &remark.message);
            if is_json {
                let report = json!({ "file": file, "line": line, "rule": rule, "element": element, "message": message });
                writeln!(out, "{report}")?;
            } else {
                writeln!(out, "{file}:{line}: {rule}: {element}: {message}")?;
            }
        }
        Ok(match remarks.is_empty() {
            true => Exit::Done,
            false => Exit::Failed,
        })
    }
}
