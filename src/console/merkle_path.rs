//! The path from an entry's leaf to the signed root, drawn.

use maud::Markup;
use maud::html;

use super::words::Words;
use crate::digest::hex;
use crate::tlog::merkle::Hash;

const STEP: usize = 46;
const WIDTH: usize = 560;
const MIDDLE: usize = WIDTH / 2;
const ASIDE: usize = 170;
const BOX_WIDTH: usize = 116;
const BOX_HEIGHT: usize = 28;
/// Hexadecimal digits shown of a hash.
const SHOWN: usize = 12;

/// The sibling with which a hash on the way is hashed.
struct Sibling<'a> {
    hash: &'a Hash,
    is_left: bool,
}

/// On which side each sibling stands (RFC 9162, 2.1.3.2).
fn siblings(index: u64, size: u64, path: &[Hash]) -> Vec<Sibling<'_>> {
    let (mut place, mut last) = (index, size.saturating_sub(1));
    let mut siblings = Vec::with_capacity(path.len());
    for hash in path {
        let is_left = place & 1 == 1 || place == last;
        siblings.push(Sibling { hash, is_left });
        if is_left {
            while place & 1 == 0 && place > 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        }
        (place, last) = (place >> 1, last >> 1);
    }
    siblings
}

/// The leaf is below, the root above.
pub(super) fn draw(index: u64, size: u64, path: &[Hash], root: &Hash, words: &Words) -> Markup {
    let siblings = siblings(index, size, path);
    let height = (siblings.len() + 1) * STEP + BOX_HEIGHT;
    let level = |step: usize| height - BOX_HEIGHT / 2 - step * STEP - 1;
    let top = level(siblings.len());
    html! {
        svg .path viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-labelledby="path-title" {
            title #path-title { (words.path) ": " (siblings.len()) " + " (words.root) " " (short(root)) }
            @for (step, sibling) in siblings.iter().enumerate() {
                @let (from, to) = (level(step), level(step + 1));
                @let x = if sibling.is_left { MIDDLE - ASIDE } else { MIDDLE + ASIDE };
                line x1=(MIDDLE) y1=(from) x2=(MIDDLE) y2=(to) class="way" {}
                line x1=(x) y1=(from) x2=(MIDDLE) y2=(to) class="side" {}
                (node(x, from, "sibling", &short(sibling.hash)))
                @if step > 0 { circle cx=(MIDDLE) cy=(from) r="7" class="inner" data-step=(step) {} }
            }
            (node(MIDDLE, level(0), "leaf", &format!("{} {index}", words.leaf)))
            @if !siblings.is_empty() { (node(MIDDLE, top, "root", &short(root))) }
        }
    }
}

fn node(x: usize, y: usize, class: &str, text: &str) -> Markup {
    html! {
        rect x=(x - BOX_WIDTH / 2) y=(y.saturating_sub(BOX_HEIGHT / 2)) width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="5" class=(class) {}
        text x=(x) y=(y + 4) { (text) }
    }
}

fn short(hash: &Hash) -> String {
    hex(hash).chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::siblings;
    use crate::tlog::merkle;
    use crate::tlog::merkle::Hash;
    use sha2::Digest;
    use sha2::Sha256;

    fn node(left: &Hash, right: &Hash) -> Hash {
        let bytes: Vec<u8> = [&[1][..], left, right].concat();
        Sha256::digest(bytes).into()
    }

    #[test]
    fn hashing_with_the_siblings_on_their_sides_gives_the_root() {
        for size in 1..40_u64 {
            let leaves: Vec<Hash> = (0..size)
                .map(|n| merkle::leaf_hash(&n.to_be_bytes()))
                .collect();
            let mut tree = merkle::Frontier::default();
            leaves.iter().for_each(|&leaf| tree.push(leaf));
            for (index, leaf) in (0..).zip(&leaves) {
                let path = merkle::inclusion(index, size, |node| {
                    let width = 1 << node.height;
                    let mut subtree = merkle::Frontier::default();
                    for place in node.index * width..(node.index + 1) * width {
                        subtree.push(leaves[place as usize]);
                    }
                    Ok::<_, std::convert::Infallible>(subtree.root())
                });
                let path = path.unwrap();
                let hashed = siblings(index, size, &path)
                    .iter()
                    .fold(*leaf, |hash, sibling| match sibling.is_left {
                        true => node(sibling.hash, &hash),
                        false => node(&hash, sibling.hash),
                    });
                assert_eq!(hashed, tree.root(), "{index} of {size}");
            }
        }
    }
}
