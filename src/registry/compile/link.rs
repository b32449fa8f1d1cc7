//! Links parsed files into one pool of descriptors.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::error::Error;

use prost_reflect::DescriptorError;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use protox::file::FileResolver;
use protox::file::GoogleFileResolver;

use super::option;
use super::parse;
use super::parse::in_backticks;
use super::scopes::Scopes;
use super::tree::Source;
use crate::fault::Fault;
use crate::fault::nearest;

/// The gateway's own options: a file of the same name in the tree is passed over.
const ANNOTATIONS: &str = "landbridge/v1/annotations.proto";
const ANNOTATIONS_TEXT: &str = include_str!("../../../proto/landbridge/v1/annotations.proto");

/// The rules of fields that are enforced: a file of the same name in the tree, with more of them, is passed over.
const RULES: &str = "buf/validate/validate.proto";
const RULES_TEXT: &str = include_str!("../../../proto/buf/validate/validate.proto");

/// The well-known types come with the compiler: files below this folder of the tree are passed over.
const WELL_KNOWN: &str = "google/protobuf/";

/// The most faulty files that are told: the pool is passed over after each.
const MAX_FAULTS: usize = 100;

const SCALARS: [&str; 15] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes",
];

/// Whether the gateway brings that file, so that one in the tree is passed over.
pub(in crate::registry) fn is_provided(name: &str) -> bool {
    matches!(name, ANNOTATIONS | RULES) || name.starts_with(WELL_KNOWN)
}

/// The text of a file that the gateway brings and compilers do not.
pub(in crate::registry) fn provided(name: &str) -> Option<&'static str> {
    match name {
        ANNOTATIONS => Some(ANNOTATIONS_TEXT),
        RULES => Some(RULES_TEXT),
        _ => None,
    }
}

/// Links all sources, or reports the first fault of each file. A file that imports a faulty one is not judged.
pub(super) fn link(sources: &[Source]) -> Result<DescriptorPool, Vec<Fault>> {
    let (parsed, mut faults) = parse::all(sources);
    let mut linker = Linker::new(sources, parsed);
    linker.link_all();
    faults.append(&mut linker.faults);
    if faults.is_empty() {
        faults.extend(linker.cycle());
    }
    if faults.is_empty() {
        Ok(linker.pool)
    } else {
        Err(faults)
    }
}

/// Links files in the order of their imports.
struct Linker<'a> {
    sources: BTreeMap<&'a str, &'a Source>,
    parsed: HashMap<&'a str, FileDescriptorProto>,
    /// The imports that are not linked yet, of each file that waits for some.
    waiting: BTreeMap<&'a str, BTreeSet<&'a str>>,
    importers: HashMap<&'a str, Vec<&'a str>>,
    ready: VecDeque<&'a Source>,
    pool: DescriptorPool,
    scopes: Scopes,
    faults: Vec<Fault>,
}

impl<'a> Linker<'a> {
    fn new(sources: &'a [Source], parsed: HashMap<&'a str, FileDescriptorProto>) -> Self {
        let by_name: BTreeMap<_, _> = sources.iter().map(|s| (s.name.as_str(), s)).collect();
        let mut waiting = BTreeMap::new();
        let mut importers: HashMap<_, Vec<_>> = HashMap::new();
        let mut ready = VecDeque::new();
        for source in sources {
            let Some(file) = parsed.get(source.name.as_str()) else {
                continue;
            };
            let imports: BTreeSet<&str> = file
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
        Self {
            sources: by_name,
            parsed,
            waiting,
            importers,
            ready,
            pool: DescriptorPool::new(),
            scopes: Scopes::default(),
            faults: Vec::new(),
        }
    }

    fn link_all(&mut self) {
        while let Some(source) = self.ready.pop_front() {
            let Some(file) = self.parsed.remove(source.name.as_str()) else {
                continue;
            };
            match self.link_one(source, file) {
                Ok(()) => self.release_importers(&source.name),
                Err(fault) => self.faults.push(fault),
            }
            // The pool keeps the extensions of a file that failed: one that follows could meet them.
            let leaves_traces = !self.faults.is_empty() && source.text.contains("extend");
            if leaves_traces || self.faults.len() == MAX_FAULTS {
                return;
            }
        }
    }

    fn link_one(&mut self, source: &Source, mut file: FileDescriptorProto) -> Result<(), Fault> {
        for (i, import) in file.dependency.iter().enumerate() {
            self.provide(import);
            if self.pool.get_file_by_name(import).is_none() {
                let (line, column) = parse::position_of_import(&file, i);
                let hint = self.hint_import(import);
                let message = format!("import `{import}` not found; {hint}");
                return Err(source.fault(line, column, "", message));
            }
        }
        self.scopes.declare(&file);
        self.scopes.qualify(&mut file);
        option::write_colons(&mut file);
        let option_names = option::Names::of(&mut file);
        self.pool
            .add_file_descriptor_proto(file)
            .map_err(|error| self.fault_of(&error, source))?;
        match option_names.misuse(&self.pool) {
            Some((path, name, message)) => Err(self.fault_at(source, &path, &name, message)),
            None => Ok(()),
        }
    }

    /// Takes in a file that is not of the tree: the annotations, or well-known types with what they import.
    fn provide(&mut self, name: &str) {
        if !is_provided(name) || self.pool.get_file_by_name(name).is_some() {
            return;
        }
        let file = match provided(name) {
            Some(text) => protox::file::File::from_source(name, text),
            None => GoogleFileResolver::new().open_file(name),
        };
        let Ok(file) = file.map(FileDescriptorProto::from) else {
            return;
        };
        for import in &file.dependency {
            self.provide(import);
        }
        self.scopes.declare(&file);
        // What cannot be added is told as an import that is not found.
        drop(self.pool.add_file_descriptor_proto(file));
    }

    fn hint_import(&self, import: &str) -> String {
        let provided = [ANNOTATIONS, RULES, "google/protobuf/timestamp.proto"];
        match nearest(import, self.sources.keys().copied().chain(provided)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "imports are relative to the registry's folder".to_owned(),
        }
    }

    fn fault_of(&self, error: &DescriptorError, source: &Source) -> Fault {
        let position = |at: Option<usize>| at.map_or(0, |at| at + 1);
        // The cause tells which part of an option's value is wrong.
        let message = match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        // Names were made full ones: the dot before them is not what the file says.
        let message = message.replace("'.", "'").replace("'(.", "'(");
        let hint = self.hint(&message).unwrap_or_default();
        source.fault(
            position(error.line()),
            position(error.column()),
            "",
            in_backticks(&message) + &hint,
        )
    }

    /// A fault of a file that is linked, at the declaration with that path.
    fn fault_at(&self, source: &Source, path: &[i32], name: &str, message: String) -> Fault {
        let file = self.pool.get_file_by_name(&source.name);
        let position = file.and_then(|f| parse::position_of(f.file_descriptor_proto(), path));
        let (line, column) = position.unwrap_or_default();
        source.fault(line, column, name, message)
    }

    /// Mends for the likeliest slips: the type of a field, and the name of a part of an option.
    fn hint(&self, message: &str) -> Option<String> {
        if message.starts_with("camel-case name of field") {
            return Some(
                "; protoc up to 3.21 refuses the two, too: give one another name".to_owned(),
            );
        }
        let quoted: Vec<_> = message.split('\'').skip(1).step_by(2).collect();
        let is_of_rules = |quoted: &&str| {
            quoted.starts_with("(buf.validate.") || quoted.starts_with("buf.validate.")
        };
        if quoted.iter().any(is_of_rules) {
            return Some(format!(
                "; docs/registry.md lists the rules of `{RULES}` that a gateway enforces, and it loads no other"
            ));
        }
        let near = if message.ends_with("is not defined") {
            nearest(quoted.first()?, SCALARS)?.to_owned()
        } else {
            let &[.., field, options] = quoted.as_slice() else {
                return None;
            };
            let options = self.pool.get_message_by_name(options)?;
            let names: Vec<_> = options.fields().map(|f| f.name().to_owned()).collect();
            nearest(field, names.iter().map(String::as_str))?.to_owned()
        };
        Some(format!("; did you mean `{near}`?"))
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
