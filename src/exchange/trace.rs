//! The W3C trace context: <https://www.w3.org/TR/trace-context/>.

use crate::name::ExchangeId;

/// Where a request stands in a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    /// All zeros when the caller sent none.
    trace_id: [u8; 16],
    flags: u8,
}

impl Trace {
    /// Reads a `traceparent` header; anything else counts as none, as the standard demands.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        hex::<1>(version)?;
        let trace_id = hex::<16>(trace).filter(|id| *id != [0; 16])?;
        hex::<8>(parent).filter(|id| *id != [0; 8])?;
        let [flags] = hex::<1>(flags)?;
        Some(Self { trace_id, flags })
    }

    /// The trace's id; the exchange's own when the caller sent none.
    pub fn id(&self, exchange: ExchangeId) -> [u8; 16] {
        if self.trace_id == [0; 16] {
            *exchange.bytes()
        } else {
            self.trace_id
        }
    }

    /// The header for the next hop, of which this exchange is the parent.
    pub fn header(&self, exchange: ExchangeId) -> String {
        let [.., a, b, c, d, e, f, g, h] = *exchange.bytes();
        let parent = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        format!(
            "00-{:032x}-{parent:016x}-{:02x}",
            u128::from_be_bytes(self.id(exchange)),
            self.flags
        )
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N
        || text
            .bytes()
            .any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn exchange() -> ExchangeId {
        "0199e2f0-a1b0-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap()
    }

    #[test]
    fn the_trace_id_goes_on_and_the_parent_becomes_the_exchange() {
        let trace = Trace::parse(EXAMPLE).unwrap();
        assert_eq!(
            trace.header(exchange()),
            "00-0af7651916cd43dd8448eb211c80319c-8e4f5a6b7c8d9e0f-01"
        );
    }

    #[test]
    fn without_a_trace_the_exchange_begins_one() {
        assert_eq!(
            Trace::default().header(exchange()),
            "00-0199e2f0a1b07c3d8e4f5a6b7c8d9e0f-8e4f5a6b7c8d9e0f-00"
        );
    }

    #[test]
    fn what_the_standard_calls_invalid_counts_as_none() {
        for header in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(Trace::parse(header), None, "{header}");
        }
    }
}
