//! A short run of the fuzz targets, by random changes of sound inputs: the same at every run.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::harness::random::Random;

/// The least number of inputs of a target, however slow the machine, and the time that it may take beyond.
const LEAST: usize = 200;
const TIME: Duration = Duration::from_secs(1);
const MOST: usize = 20_000;

/// What readers stumble over.
const WORDS: [&[u8]; 18] = [
    b"\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"\"",
    b"'",
    b"\\",
    b"((((((((",
    b"[[[[",
    b"{{{{",
    b"\n\n",
    b"\xe2\x80\x94 ",
    b"\xed\xa0\x80",
    b"..",
    b"=",
    b"google.protobuf.Timestamp",
    b"0000-00-00",
];

fn changed(seeds: &[Vec<u8>], dice: &mut Random) -> Vec<u8> {
    let mut input = dice.one_of(seeds);
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(input.len() + 1);
        match dice.roll(8) {
            0 => input.insert(at, dice.roll(256) as u8),
            1 if at < input.len() => _ = input.remove(at),
            2 if at < input.len() => input[at] ^= 1 << dice.roll(8),
            3 => drop(input.splice(at..at, WORDS[dice.roll(WORDS.len())].iter().copied())),
            4 => input.truncate(at),
            5 => {
                // A piece of another one.
                let other = dice.one_of(seeds);
                let from = dice.roll(other.len() + 1);
                let piece = other[from..].iter().take(dice.roll(64)).copied();
                drop(input.splice(at..at, piece.collect::<Vec<_>>()));
            }
            6 => {
                let end = (at + dice.roll(32)).min(input.len());
                let piece = input[at..end].to_vec();
                drop(input.splice(at..at, piece.repeat(1 + dice.roll(50))));
            }
            _ => {
                let end = (at + dice.roll(32)).min(input.len());
                drop(input.drain(at..end));
            }
        }
    }
    input
}

#[test]
fn no_bytes_from_outside_make_a_reader_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ground = targets::Ground::new(root);
    // What a panic prints would hide the one input that matters.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut found = Vec::new();
    for (name, target) in targets::ALL {
        let mut seeds = ground.seeds(name);
        // What was found once, and what coverage has brought.
        if let Ok(corpus) = fs::read_dir(root.join("tests/fuzz/corpus").join(name)) {
            seeds.extend(corpus.map(|entry| fs::read(entry.unwrap().path()).unwrap()));
        }
        seeds.sort();
        assert!(!seeds.is_empty(), "{name} has no seed");
        let mut dice = Random::new(1);
        let begun = Instant::now();
        let mut inputs = seeds.clone();
        let mut executed = 0;
        while executed < MOST && (executed < LEAST || begun.elapsed() < TIME) {
            let input = inputs.pop().unwrap_or_else(|| changed(&seeds, &mut dice));
            if catch_unwind(AssertUnwindSafe(|| target(&ground, &input))).is_err() {
                found.push(format!("{name}: {:?}", String::from_utf8_lossy(&input)));
                break;
            }
            executed += 1;
        }
        println!("{name}: {executed} inputs");
    }
    std::panic::set_hook(hook);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
