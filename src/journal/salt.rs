//! Salts, drawn from the system's generator many at a time: a draw costs as much as hashing a record.

use std::cell::RefCell;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;

const SALT_BYTES: usize = 32;
const DRAWN: usize = 64;

thread_local! {
    /// Those not given out yet.
    static DRAW: RefCell<Vec<[u8; SALT_BYTES]>> = const { RefCell::new(Vec::new()) };
}

/// A salt that nobody else has; an error if the system gives no random numbers.
pub(super) fn fresh() -> Result<[u8; SALT_BYTES], Unspecified> {
    DRAW.with_borrow_mut(|salts| {
        if let Some(salt) = salts.pop() {
            return Ok(salt);
        }
        let mut drawn = [[0; SALT_BYTES]; DRAWN];
        rand::fill(drawn.as_flattened_mut())?;
        let [salt, rest @ ..] = drawn;
        salts.extend(rest);
        Ok(salt)
    })
}

#[cfg(test)]
mod tests;
