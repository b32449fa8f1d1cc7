//! Other departments' logs, as a witness sees them: checkpoints that grow, each with the proof that it continues the last.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::anyhow;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::UnparsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landbridge::evidence::journals::Journals;
use landbridge::evidence::witness::request::AddCheckpoint;
use landbridge::identity::directory::Directory;
use landbridge::tlog::merkle;
use landbridge::tlog::merkle::Hash;
use landbridge::tlog::merkle::Node;

/// Entries from one checkpoint to the next: of a second, at a busy gateway.
const STRIDE: u64 = 1_000;
/// The type of an Ed25519 key in a signed note.
const ED25519: u8 = 1;

/// All logs have the same leaves; only their names and signatures differ.
pub(crate) struct Logs {
    /// The hashes of the perfect subtrees, by height.
    levels: Vec<Vec<Hash>>,
    key: Ed25519KeyPair,
    origins: Vec<String>,
}

impl Logs {
    pub(crate) fn new(count: usize, steps: u64) -> anyhow::Result<Self> {
        let leaves = 0..steps * STRIDE;
        let mut levels = vec![Vec::from_iter(
            leaves.map(|n| merkle::leaf_hash(&n.to_be_bytes())),
        )];
        while let Some(below) = levels.last()
            && below.len() > 1
        {
            let (pairs, _) = below.as_chunks::<2>();
            let above = pairs
                .iter()
                .map(|[left, right]| merkle::node_hash(left, right));
            levels.push(above.collect());
        }
        let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())?;
        Ok(Self {
            levels,
            key: Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.as_ref())
                .map_err(|_| anyhow!("no key"))?,
            origins: (0..count).map(|n| format!("gov.example/d{n}/1")).collect(),
        })
    }

    /// What a witness must know of them.
    pub(crate) fn journals(&self) -> anyhow::Result<Arc<Journals>> {
        let departments = self.origins.iter().enumerate().map(|(n, origin)| {
            let key = STANDARD.encode([&[ED25519], self.key.public_key().as_ref()].concat());
            let id = self.key_id(origin).map(|byte| format!("{byte:02x}"));
            format!(
                "[[department]]\nid = \"d{n}\"\nname = \"d{n}\"\nendpoints = [\"a:1\"]\n\
                 journal = [\"{origin}+{}+{key}\"]\n",
                id.concat()
            )
        });
        let text: String = departments.collect();
        let faults = |faults: Vec<_>| anyhow!("{faults:?}");
        let directory = Directory::parse("directory", &text).map_err(faults)?;
        let domain = "gov.example".parse()?;
        let journals = Journals::read("directory", &directory, &domain).map_err(faults)?;
        Ok(Arc::new(journals))
    }

    /// The requests of each log, in order.
    pub(crate) fn requests(&self, steps: u64) -> Vec<Vec<String>> {
        let of = |origin: &String| (0..steps).map(|step| self.request(origin, step)).collect();
        self.origins.iter().map(of).collect()
    }

    fn request(&self, origin: &str, step: u64) -> String {
        let (old, size) = (step * STRIDE, (step + 1) * STRIDE);
        let Ok(root) = merkle::root(size, |node| self.node(node));
        let Ok(proof) = merkle::consistency(old, size, |node| self.node(node));
        let text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
        let signature = self.key.sign(text.as_bytes());
        let signature = [&self.key_id(origin), signature.as_ref()].concat();
        let note = format!("{text}\n— {origin} {}\n", STANDARD.encode(signature));
        AddCheckpoint {
            old,
            proof,
            note: &note,
        }
        .body()
    }

    fn node(&self, node: Node) -> Result<Hash, Infallible> {
        let level = self.levels.get(node.height as usize);
        // A node that is missing would be this bench's error; the witness would refuse what comes of it.
        let hash = level.and_then(|level| level.get(node.index as usize));
        Ok(hash.copied().unwrap_or_default())
    }

    /// C2SP signed-note: the first four bytes of SHA-256(name || newline || type || public key).
    fn key_id(&self, origin: &str) -> [u8; 4] {
        let public = self.key.public_key();
        let parts = [origin.as_bytes(), b"\n", &[ED25519], public.as_ref()];
        let [a, b, c, d, ..] = landbridge::digest::sha256(&parts);
        [a, b, c, d]
    }
}

/// One signature to verify and one to make, again and again on one core: how often in a second.
pub(crate) fn signatures(folder: &Path) -> anyhow::Result<f64> {
    let logs = Logs::new(1, 1)?;
    let text = folder.display().to_string();
    let public = UnparsedPublicKey::new(&signature::ED25519, logs.key.public_key().as_ref());
    let (begun, mut done) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_millis(500) {
        let signature = logs.key.sign(text.as_bytes());
        public.verify(text.as_bytes(), signature.as_ref())?;
        done += 1;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}
