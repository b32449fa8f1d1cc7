//! Reads a policy file, a line at a time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Log;
use super::Member;
use super::Witness;
use super::WitnessPolicy;
use crate::fault::Fault;
use crate::fault::nearest;
use crate::fault::shown;
use crate::tlog::note::KeyKind;
use crate::tlog::note::VerifierKey;

/// A witness each department of a large federation, with room for groups.
const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_DEFINED: usize = 4_096;
/// Who gets so many faults has given another file.
const MAX_FAULTS: usize = 100;
const KEYWORDS: [&str; 4] = ["log", "witness", "group", "quorum"];
/// The quorum that needs no witness.
const NONE: &str = "none";

pub(super) fn policy(file: &str, text: &str) -> Result<WitnessPolicy, Vec<Fault>> {
    let mut reader = Reader {
        file,
        line: 0,
        faults: Vec::new(),
        logs: Vec::new(),
        members: Vec::new(),
        names: BTreeMap::new(),
        grouped: BTreeSet::new(),
        quorum: None,
    };
    reader.read(text);
    if !reader.faults.is_empty() {
        return Err(reader.faults);
    }
    Ok(WitnessPolicy {
        logs: reader.logs,
        members: reader.members,
        quorum: reader.quorum.flatten(),
    })
}

struct Reader<'a> {
    file: &'a str,
    /// 1-based.
    line: usize,
    faults: Vec<Fault>,
    logs: Vec<Log>,
    members: Vec<Member>,
    /// Where each name stands in `members`; None if its line has a fault.
    names: BTreeMap<String, Option<usize>>,
    /// The names that are in a group.
    grouped: BTreeSet<String>,
    quorum: Option<Option<usize>>,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) {
        if text.len() > MAX_BYTES {
            self.fault("the policy is larger than 4 MiB");
            return;
        }
        for (line, text) in (1..).zip(text.split('\n')) {
            self.line = line;
            self.read_line(text);
            if self.faults.len() >= MAX_FAULTS {
                return;
            }
            if self.logs.len() + self.names.len() > MAX_DEFINED {
                self.fault("the policy defines more than 4,096 logs, witnesses and groups");
                return;
            }
        }
        self.line = 0;
        if self.quorum.is_none() {
            self.fault(
                "no quorum is defined; end the policy with `quorum <name>`, or `quorum none`",
            );
        }
    }

    fn read_line(&mut self, line: &str) {
        if line.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
            self.fault("a control character; only tabs and line feeds are allowed");
            return;
        }
        let words: Vec<&str> = line
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => {}
            [word, ..] if word.starts_with('#') => {}
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, enough, parts @ ..] if !parts.is_empty() => {
                self.group(name, enough, parts)
            }
            ["quorum", name] => self.quorum(name),
            ["log", ..] => self.fault("expected `log <vkey> [<url>]`"),
            ["witness", ..] => self.fault("expected `witness <name> <vkey> [<url>]`"),
            ["group", ..] => self.fault("expected `group <name> all|any|<number> <member>...`"),
            ["quorum", ..] => self.fault("expected `quorum <name>`"),
            [word, ..] => self.report_unknown(word),
        }
    }

    fn log(&mut self, key: &str, url: Option<&&str>) {
        let Some(key) = self.key(key, &[KeyKind::Ed25519, KeyKind::MlDsa44]) else {
            return;
        };
        if self.logs.iter().any(|log| log.key.is_same_pair(&key)) {
            self.fault("the log's key stands here twice");
            return;
        }
        self.logs.push(Log {
            key,
            url: url.map(|&url| url.to_owned()),
        });
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&&str>) {
        if !self.is_free(name) {
            return;
        }
        let key = self.key(key, &[KeyKind::Cosignature, KeyKind::MlDsa44]);
        let twice = |key: &VerifierKey| {
            self.members.iter().any(|member| match member {
                Member::Witness(witness) => witness.key.is_same_pair(key),
                Member::Group { .. } => false,
            })
        };
        if key.as_ref().is_some_and(twice) {
            self.fault("the witness's key stands here twice, so that it would count twice");
        }
        let member = key.map(|key| {
            Member::Witness(Witness {
                name: name.to_owned(),
                key,
                url: url.map(|&url| url.to_owned()),
            })
        });
        self.define(name, member);
    }

    fn group(&mut self, name: &str, enough: &str, parts: &[&str]) {
        if !self.is_free(name) {
            return;
        }
        if parts.len() > MAX_DEFINED {
            self.fault("the group has more than 4,096 members");
            return;
        }
        let mut places = Vec::new();
        for part in parts {
            places.extend(self.place(part));
            if !self.grouped.insert((*part).to_owned()) {
                let twice = format!("`{}` is in a group already", shown(part));
                self.fault(&twice);
            }
        }
        let Some(enough) = threshold(enough, parts.len()) else {
            let of = parts.len();
            self.fault(&format!(
                "`{}` is not how many of the {of} members are enough; write `all`, `any` or a number from 1 to {of}",
                shown(enough)
            ));
            return self.define(name, None);
        };
        let group = Member::Group {
            name: name.to_owned(),
            enough,
            parts: places,
        };
        self.define(name, Some(group));
    }

    fn quorum(&mut self, name: &str) {
        if self.quorum.is_some() {
            self.fault("a second quorum; there is exactly one");
            return;
        }
        let quorum = match name {
            NONE => None,
            name => self.place(name),
        };
        self.quorum = Some(quorum);
    }

    fn key(&mut self, text: &str, kinds: &[KeyKind]) -> Option<VerifierKey> {
        let key = match text.parse::<VerifierKey>() {
            Ok(key) => key,
            Err(error) => {
                self.fault(&error.to_string());
                return None;
            }
        };
        if !kinds.contains(&key.kind()) {
            self.fault(match key.kind() {
                KeyKind::Ed25519 => {
                    "it is a log's key (type 01); a witness has one of type 04 or 06"
                }
                KeyKind::Cosignature | KeyKind::MlDsa44 => {
                    "it is a witness's key (type 04); a log has one of type 01 or 06"
                }
            });
            return None;
        }
        Some(key)
    }

    fn is_free(&mut self, name: &str) -> bool {
        if name == NONE {
            self.fault("`none` is the name of the empty quorum; choose another name");
        } else if self.names.contains_key(name) {
            let twice = format!("`{}` is defined twice", shown(name));
            self.fault(&twice);
        } else {
            return true;
        }
        false
    }

    /// A name whose line has a fault is known too, so that the fault is told once.
    fn define(&mut self, name: &str, member: Option<Member>) {
        let place = member.is_some().then_some(self.members.len());
        self.names.insert(name.to_owned(), place);
        self.members.extend(member);
    }

    fn place(&mut self, name: &str) -> Option<usize> {
        if let Some(place) = self.names.get(name) {
            return *place;
        }
        let near = nearest(name, self.names.keys().map(String::as_str))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let unknown = format!(
            "`{}` is not defined on a line before this one{near}",
            shown(name)
        );
        self.fault(&unknown);
        None
    }

    fn report_unknown(&mut self, word: &str) {
        let near = nearest(word, KEYWORDS)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let unknown = format!(
            "`{}` is not `log`, `witness`, `group` or `quorum`{near}",
            shown(word)
        );
        self.fault(&unknown);
    }

    fn fault(&mut self, message: &str) {
        self.faults.push(Fault {
            file: self.file.to_owned(),
            line: self.line,
            column: 0,
            key: String::new(),
            message: message.to_owned(),
        });
    }
}

/// How many of `of` members are enough.
fn threshold(word: &str, of: usize) -> Option<usize> {
    let enough = match word {
        "any" => 1,
        "all" => of,
        number if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok()?,
        _ => return None,
    };
    (1..=of).contains(&enough).then_some(enough)
}
