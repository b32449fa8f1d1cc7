//! Finds what TLS said within an error that wraps it.

use std::error::Error;
use std::io;

/// The TLS alert with which the other end refused, e.g. `CertificateRevoked`, however deep an error has it.
///
/// In TLS 1.3 a client has finished its handshake before the server has judged its certificate: the refusal comes with
/// the first read, and gRPC clients wrap it in a status of `Unknown`.
pub fn alert_within(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match find(error)? {
        rustls::Error::AlertReceived(alert) => Some(alert.as_str().unwrap_or("an unknown alert")),
        _ => None,
    }
}

pub(super) fn tls(error: &io::Error) -> Option<&rustls::Error> {
    find(error)
}

fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    // Errors come from outside: a chain has an end here.
    for _ in 0..32 {
        let error = next?;
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            // An I/O error's `source` is that of what it wraps, and leaves out what it wraps.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
