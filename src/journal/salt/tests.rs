use std::collections::BTreeSet;
use std::thread;

use super::DRAWN;
use super::fresh;

#[test]
fn no_salt_is_given_out_twice_by_any_thread() {
    let draw = || Vec::from_iter((0..3 * DRAWN).map(|_| fresh().unwrap()));
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(draw)).collect();
    let salts: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(salts.len(), 12 * DRAWN);
    assert_eq!(BTreeSet::from_iter(&salts).len(), salts.len());
}
