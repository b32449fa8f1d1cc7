//! The schema files of a package, for those who generate code of them.

use std::collections::BTreeMap;

use prost_reflect::FileDescriptor;

use super::Registry;
use super::compat::Site;
use super::compile::provided;
use super::schema::RecordSchema;

impl Registry {
    /// The files of a package and of all that they import, each by name with its text: the gateway's annotations among
    /// them, but not what comes with every compiler.
    ///
    /// Record types that must not be shown are cut out. `None` where there is no such package, or where what is left
    /// refers to them.
    pub fn package(
        &self,
        package: &str,
        is_shown: impl Fn(&RecordSchema) -> bool,
    ) -> Option<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        let all = self.pool.files();
        let mut wanted: Vec<_> = all
            .filter(|file| file.package_name() == package && self.texts.contains_key(file.name()))
            .collect();
        while let Some(file) = wanted.pop() {
            let text = self.texts.get(file.name()).map(String::as_str);
            let Some(text) = text.or_else(|| provided(file.name())) else {
                continue;
            };
            let text = self.shown(&file, text, &is_shown);
            if files.insert(file.name().to_owned(), text).is_none() {
                wanted.extend(file.dependencies());
            }
        }
        let is_whole = !files.is_empty() && Self::compile_texts(files.clone()).is_ok();
        is_whole.then_some(files)
    }

    /// The text without what must not be shown, and without the comments on it.
    fn shown(
        &self,
        file: &FileDescriptor,
        text: &str,
        is_shown: impl Fn(&RecordSchema) -> bool,
    ) -> String {
        let hidden = self.records.values().filter(|record| !is_shown(record));
        let hidden = hidden.map(|record| record.descriptor());
        let spans: Vec<_> = hidden
            .filter(|message| message.parent_file() == *file)
            .filter_map(|message| {
                let path = message.path();
                Site { file, path }.lines()
            })
            .collect();
        if spans.is_empty() {
            return text.to_owned();
        }
        let lines = text.lines().enumerate();
        let kept = lines.filter(|(at, _)| !spans.iter().any(|span| span.contains(at)));
        kept.flat_map(|(_, line)| [line, "\n"]).collect()
    }
}

#[cfg(test)]
mod tests;
