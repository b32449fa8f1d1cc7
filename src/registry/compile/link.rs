//! Parses the files of a tree and links them into one pool of descriptors.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;

use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::File;
use protox::file::FileResolver;
use protox::file::GoogleFileResolver;

use super::nesting;
use super::tree::Source;
use crate::fault::Fault;
use crate::fault::nearest;

/// The gateway's own options: a file of the same name in the tree is passed over.
const ANNOTATIONS: &str = "landbridge/v1/annotations.proto";
const ANNOTATIONS_TEXT: &str = include_str!("../../../proto/landbridge/v1/annotations.proto");

/// The well-known types come with the compiler: files below this folder of the tree are passed over.
const WELL_KNOWN: &str = "google/protobuf/";

/// The most files whose faults are told: the compiler passes over its whole pool after each.
const MAX_FAULTS: usize = 100;

const SCALARS: [&str; 15] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes",
];

const PROTO3: &str = "write `syntax = \"proto3\";` at the head of the file";

/// The field number of `syntax` in `google.protobuf.FileDescriptorProto`.
const SYNTAX_FIELD: i32 = 12;

/// Whether the gateway brings that file, so that one in the tree is passed over.
pub(super) fn is_provided(name: &str) -> bool {
    name == ANNOTATIONS || name.starts_with(WELL_KNOWN)
}

/// Links all sources, or reports the first fault of each file. A file that imports a faulty one is not judged.
pub(super) fn link(sources: &[Source]) -> Result<DescriptorPool, Vec<Fault>> {
    let (parsed, mut faults) = parse(sources);
    let mut linker = Linker::new(sources, parsed);
    linker.link_all();
    faults.append(&mut linker.faults);
    if faults.is_empty() {
        faults.extend(linker.cycle());
    }
    if faults.is_empty() {
        // The pool itself, since a decoded `FileDescriptorSet` of `prost_types` has lost the custom options.
        Ok(linker.compiler.descriptor_pool())
    } else {
        Err(faults)
    }
}

fn parse(sources: &[Source]) -> (HashMap<String, File>, Vec<Fault>) {
    let mut parsed = HashMap::new();
    let mut faults = Vec::new();
    for source in sources {
        match parse_one(source) {
            Ok(file) => {
                parsed.insert(source.name.clone(), file);
            }
            Err(fault) => faults.push(fault),
        }
    }
    (parsed, faults)
}

fn parse_one(source: &Source) -> Result<File, Fault> {
    nesting::check(source)?;
    let file = File::from_source(&source.name, &source.text)
        .map_err(|error| edition(source).unwrap_or_else(|| fault_of(&error, source, &[])))?;
    let proto = file.file_descriptor_proto();
    if proto.syntax() == "proto3" {
        return Ok(file);
    }
    let line = proto
        .source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .find(|location| location.path == [SYNTAX_FIELD])
        .and_then(|location| usize::try_from(*location.span.first()?).ok())
        .map_or(1, |line| line + 1);
    Err(source.fault(line, 1, "", format!("proto2 is not read; {PROTO3}")))
}

/// The compiler knows no editions and calls them a syntax error.
fn edition(source: &Source) -> Option<Fault> {
    let line = source.text.lines().position(|line| {
        line.trim_start()
            .strip_prefix("edition")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })?;
    let message = format!("protobuf editions are not read; {PROTO3} instead of `edition`");
    Some(source.fault(line + 1, 1, "", message))
}

/// What the compiler opens: the files that parsed, and those that come with it.
struct Parsed {
    files: HashMap<String, File>,
    google: GoogleFileResolver,
}

impl FileResolver for Parsed {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.files.get(name) {
            Some(file) => Ok(file.clone()),
            None if name == ANNOTATIONS => File::from_source(name, ANNOTATIONS_TEXT),
            None => self.google.open_file(name),
        }
    }
}

/// Links files in the order of their imports, so that the compiler never recurses along a chain of them.
struct Linker<'a> {
    sources: BTreeMap<&'a str, &'a Source>,
    /// The imports that are not linked yet, of each file that waits for some.
    waiting: BTreeMap<&'a str, BTreeSet<&'a str>>,
    importers: HashMap<&'a str, Vec<&'a str>>,
    ready: VecDeque<&'a Source>,
    compiler: Compiler,
    faults: Vec<Fault>,
}

impl<'a> Linker<'a> {
    fn new(sources: &'a [Source], parsed: HashMap<String, File>) -> Self {
        let by_name: BTreeMap<_, _> = sources.iter().map(|s| (s.name.as_str(), s)).collect();
        let mut waiting = BTreeMap::new();
        let mut importers: HashMap<_, Vec<_>> = HashMap::new();
        let mut ready = VecDeque::new();
        for source in sources {
            let Some(file) = parsed.get(&source.name) else {
                continue;
            };
            let imports: BTreeSet<&str> = file
                .file_descriptor_proto()
                .dependency
                .iter()
                .filter_map(|import| by_name.get_key_value(import.as_str()))
                .map(|(name, _)| *name)
                .collect();
            for import in &imports {
                importers.entry(*import).or_default().push(&*source.name);
            }
            if imports.is_empty() {
                ready.push_back(source);
            } else {
                waiting.insert(&*source.name, imports);
            }
        }
        let mut compiler = Compiler::with_file_resolver(Parsed {
            files: parsed,
            google: GoogleFileResolver::new(),
        });
        compiler.include_imports(true).include_source_info(true);
        Self {
            sources: by_name,
            waiting,
            importers,
            ready,
            compiler,
            faults: Vec::new(),
        }
    }

    fn link_all(&mut self) {
        if let Err(error) = self.compiler.open_file(ANNOTATIONS) {
            return self.faults.push(Fault {
                file: ANNOTATIONS.to_owned(),
                line: 0,
                column: 0,
                key: String::new(),
                message: error.to_string(),
            });
        }
        while let Some(source) = self.ready.pop_front() {
            let Err(error) = self.compiler.open_file(&source.name) else {
                self.release_importers(&source.name);
                continue;
            };
            let names: Vec<_> = self.sources.keys().copied().collect();
            self.faults.push(fault_of(&error, source, &names));
            // The pool keeps the extensions of a file that failed: one that follows could meet them.
            if source.text.contains("extend") || self.faults.len() == MAX_FAULTS {
                return;
            }
        }
    }

    fn release_importers(&mut self, name: &str) {
        for importer in self.importers.remove(name).unwrap_or_default() {
            let Some(imports) = self.waiting.get_mut(importer) else {
                continue;
            };
            imports.remove(name);
            if imports.is_empty() {
                self.waiting.remove(importer);
                self.ready.extend(self.sources.get(importer));
            }
        }
    }

    /// Follows the imports of the files that still wait, until one comes again.
    fn cycle(&self) -> Option<Fault> {
        let (mut name, _) = self.waiting.first_key_value()?;
        let mut trail = Vec::new();
        while !trail.contains(name) {
            trail.push(*name);
            name = self.waiting.get(name)?.first()?;
        }
        let chain: Vec<_> = trail.into_iter().skip_while(|n| n != name).collect();
        let message = format!(
            "files import one another: {} -> {name}; move what both need to a third file",
            chain.join(" -> ")
        );
        Some(self.sources.get(name)?.fault(0, 0, "", message))
    }
}

/// The compiler tells positions in its `Debug` form only: `file:line:column: message`.
fn fault_of(error: &protox::Error, source: &Source, names: &[&str]) -> Fault {
    let debug = format!("{error:?}");
    let mut parts = debug
        .strip_prefix(&source.name)
        .and_then(|rest| rest.strip_prefix(':'))
        .unwrap_or_default()
        .splitn(3, ':')
        .map_while(|part| part.parse().ok());
    let line = parts.next().unwrap_or(0);
    let column = parts.next().unwrap_or(0);
    let message = error.to_string();
    let mend = mend(&message, names).unwrap_or_default();
    source.fault(line, column, "", message.replace('\'', "`") + &mend)
}

fn mend(message: &str, names: &[&str]) -> Option<String> {
    let (_, rest) = message.split_once('\'')?;
    let (name, rest) = rest.split_once('\'')?;
    if message.starts_with("import") && rest.ends_with("not found") {
        return Some(match nearest(name, names.iter().copied()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => "; imports are relative to the registry's folder".to_owned(),
        });
    }
    if rest.ends_with("is not defined") {
        let near = nearest(name, SCALARS)?;
        return Some(format!("; did you mean `{near}`?"));
    }
    None
}
