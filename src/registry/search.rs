//! Finds record types by words: names, titles, fields and what they mean, in English and Chinese.
//!
//! Chinese has no blanks between words: each two characters that follow one another count as one, as search engines do it
//! that have no dictionary. A query of several characters then asks for all of its pairs.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::schema::RecordSchema;

/// The words of all record types of one revision.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The record types that have a word, by their place among all, each with the weight of the best place of the word.
    words: BTreeMap<String, HashMap<u32, u32>>,
}

/// How much a word tells of a record type, by where it stands.
const NAME: u32 = 8;
const TITLE: u32 = 8;
const FIELD: u32 = 3;
const DESCRIPTION: u32 = 1;

impl Index {
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a RecordSchema>) -> Self {
        let mut index = Self::default();
        for (record, at) in records.zip(0..) {
            index.add(at, record.name().as_str(), NAME);
            index.add(at, record.owner().as_str(), FIELD);
            index.add(at, record.title(), TITLE);
            index.add(at, record.title_zh(), TITLE);
            index.add(at, record.description(), DESCRIPTION);
            index.add(at, record.office(), DESCRIPTION);
            index.add(at, record.office_zh(), DESCRIPTION);
            for field in record.leaves() {
                index.add(at, field.path().as_str(), FIELD);
                index.add(at, field.title(), FIELD);
                index.add(at, field.title_zh(), FIELD);
                index.add(at, field.description(), DESCRIPTION);
            }
        }
        index
    }

    fn add(&mut self, record: u32, text: &str, weight: u32) {
        for word in words(text, true) {
            let records = self.words.entry(word).or_default();
            let best = records.entry(record).or_default();
            *best = weight.max(*best);
        }
    }

    /// The places of the record types that have all words of the text, the likeliest first.
    pub(super) fn find(&self, text: &str) -> Vec<u32> {
        let mut words = words(text, false).into_iter();
        let Some(first) = words.next() else {
            return Vec::new();
        };
        let mut found = self.having(&first);
        for word in words {
            let also = self.having(&word);
            found.retain(|record, _| also.contains_key(record));
            for (record, score) in &mut found {
                *score += also.get(record).copied().unwrap_or_default();
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(record, score)| (u32::MAX - score, *record));
        found.into_iter().map(|(record, _)| record).collect()
    }

    /// The record types with a word that begins so. The word itself counts twice.
    fn having(&self, word: &str) -> HashMap<u32, u32> {
        let mut found = HashMap::new();
        let begins = self.words.range(word.to_owned()..);
        for (full, records) in begins.take_while(|(full, _)| full.starts_with(word)) {
            let times = if full == word { 2 } else { 1 };
            for (record, weight) in records {
                let best: &mut u32 = found.entry(*record).or_default();
                *best = (*best).max(weight * times);
            }
        }
        found
    }
}

/// The words of a text, in small letters. `full`: of a text that is searched, where names of several words count as one,
/// too, and a single character of Chinese can be asked for.
fn words(text: &str, full: bool) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()) {
        for (is_chinese, part) in parts(run) {
            if is_chinese {
                pairs(&part, full, &mut words);
            } else {
                camel(&part, full, &mut words);
            }
        }
    }
    words.sort();
    words.dedup();
    words
}

/// Divides letters where Chinese begins or ends.
fn parts(run: &str) -> Vec<(bool, Vec<char>)> {
    let mut parts: Vec<(bool, Vec<char>)> = Vec::new();
    for letter in run.chars() {
        match parts.last_mut() {
            Some((is_chinese, part)) if *is_chinese == is_han(letter) => part.push(letter),
            _ => parts.push((is_han(letter), vec![letter])),
        }
    }
    parts
}

/// The blocks of CJK Unified Ideographs.
fn is_han(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

fn pairs(letters: &[char], full: bool, words: &mut Vec<String>) {
    words.extend(letters.windows(2).map(|pair| pair.iter().collect()));
    // The last character begins no pair.
    if full || letters.len() == 1 {
        words.extend(letters.last().map(char::to_string));
    }
}

/// `ResidentStatus` is `resident` and `status`.
fn camel(letters: &[char], full: bool, words: &mut Vec<String>) {
    let lower = |letters: &[char]| letters.iter().flat_map(|c| c.to_lowercase()).collect();
    if !full {
        return words.push(lower(letters));
    }
    words.push(lower(letters));
    let is_hump = |pair: &[char]| matches!(pair, [a, b] if a.is_lowercase() && b.is_uppercase());
    let humps = letters
        .windows(2)
        .zip(1..)
        .filter(|(pair, _)| is_hump(pair));
    let mut start = 0;
    for end in humps.map(|(_, at)| at).chain([letters.len()]) {
        words.extend(letters.get(start..end).map(lower));
        start = end;
    }
}

#[cfg(test)]
mod tests;
