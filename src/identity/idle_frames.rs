//! Finds out a peer that keeps its connection busy with HTTP/2 frames that ask for nothing and answer nothing.
//!
//! Pings and settings want an answer each, and neither h2 nor hyper counts them (CVE-2019-9512, CVE-2019-9515). Window
//! updates, resets and continuations are left to h2, which does.

use std::time::Duration;
use std::time::Instant;

const HEADER_BYTES: usize = 9;
/// What a client sends before its first frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// So many idle frames take at least so long, or go with so many bytes of other traffic: a client measures the bandwidth of
/// a busy connection by pings.
const FRAMES: u32 = 1_000;
const TIME: Duration = Duration::from_secs(5);
const TRAFFIC_BYTES: u64 = 4 << 20;

/// Reads along, frame header by frame header, and keeps nothing else.
#[derive(Debug)]
pub(super) struct IdleFrames {
    header: [u8; HEADER_BYTES],
    filled: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: usize,
    speech: Speech,
    idle: u32,
    since: Instant,
    traffic: u64,
}

/// What the peer speaks, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    Unheard,
    Http2,
    /// Whoever is to speak HTTP/2 there refuses it.
    Other,
}

/// It sends idle frames, and little else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flood;

impl IdleFrames {
    pub(super) fn new() -> Self {
        Self {
            header: [0; HEADER_BYTES],
            filled: 0,
            payload: 0,
            speech: Speech::Unheard,
            idle: 0,
            since: Instant::now(),
            traffic: 0,
        }
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.traffic = self.traffic.saturating_add(bytes as u64);
    }

    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while !bytes.is_empty() && self.speech != Speech::Other {
            if self.payload > 0 {
                let skipped = self.payload.min(bytes.len());
                self.payload -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let rest = self.header.get_mut(self.filled..).unwrap_or_default();
            let taken = rest.len().min(bytes.len());
            let (new, left) = bytes.split_at(taken);
            for (place, byte) in rest.iter_mut().zip(new) {
                *place = *byte;
            }
            self.filled += taken;
            bytes = left;
            if self.filled == HEADER_BYTES {
                self.filled = 0;
                self.begin_frame()?;
            }
        }
        Ok(())
    }

    fn begin_frame(&mut self) -> Result<(), Flood> {
        let [a, b, c, kind, flags, ..] = self.header;
        if self.speech == Speech::Unheard {
            self.speech = Speech::Http2;
            if PREFACE.starts_with(&self.header) {
                self.payload = PREFACE.len() - HEADER_BYTES;
                return Ok(());
            }
            // A server begins with its settings.
            if kind != SETTINGS {
                self.speech = Speech::Other;
                return Ok(());
            }
        }
        self.payload = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            // Beside the data there is nothing in it, and it ends nothing.
            DATA if self.payload == 0 && flags & END_STREAM == 0 => self.idle_frame(),
            DATA | HEADERS | RST_STREAM | PUSH_PROMISE | GOAWAY | WINDOW_UPDATE | CONTINUATION => {
                self.traffic = self.traffic.saturating_add(self.payload as u64);
                Ok(())
            }
            // Pings, settings, priorities, and what nobody knows.
            _ => self.idle_frame(),
        }
    }

    fn idle_frame(&mut self) -> Result<(), Flood> {
        self.idle += 1;
        if self.idle < FRAMES {
            return Ok(());
        }
        // The clock is asked once in so many frames.
        let now = Instant::now();
        if now.duration_since(self.since) < TIME && self.traffic < TRAFFIC_BYTES {
            return Err(Flood);
        }
        (self.idle, self.since, self.traffic) = (0, now, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.extend(payload);
        frame
    }

    /// In pieces of every size, as they come from a network.
    fn read(frames: &mut IdleFrames, bytes: &[u8]) -> Result<(), Flood> {
        let mut rest = bytes;
        for size in (1..40).cycle() {
            let (piece, left) = rest.split_at(size.min(rest.len()));
            frames.read(piece)?;
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn begun() -> IdleFrames {
        let mut frames = IdleFrames::new();
        read(&mut frames, PREFACE).unwrap();
        frames
    }

    #[test]
    fn what_is_no_http2_is_for_others_to_judge() {
        let mut frames = IdleFrames::new();
        read(&mut frames, &[0; 100_000]).unwrap();
        // A server begins without a preface, and floods are found there too.
        let mut frames = IdleFrames::new();
        let settings = frame(SETTINGS, 0, &[]);
        assert_eq!(read(&mut frames, &settings.repeat(1_000)), Err(Flood));
    }

    #[test]
    fn a_thousand_pings_at_once_are_a_flood_and_fewer_are_not() {
        let mut frames = begun();
        let ping = frame(PING, 0, &[0; 8]);
        read(&mut frames, &ping.repeat(999)).unwrap();
        // Requests meanwhile are no leave to go on.
        read(&mut frames, &frame(HEADERS, 4, &[0; 50]).repeat(50)).unwrap();
        assert_eq!(read(&mut frames, &ping), Err(Flood));
    }

    #[test]
    fn settings_priorities_empty_data_and_unknown_frames_count_too() {
        let kinds = [
            (SETTINGS, &[0; 6][..]),
            (2, &[0; 5]),
            (DATA, &[]),
            (0xf0, &[1]),
        ];
        for (kind, payload) in kinds {
            let mut frames = begun();
            let flood = frame(kind, 0, payload).repeat(1_000);
            assert_eq!(
                read(&mut frames, &flood),
                Err(Flood),
                "frames of kind {kind}"
            );
        }
    }

    #[test]
    fn pings_beside_much_traffic_and_everything_that_ends_a_stream_are_let_be() {
        let ping = frame(PING, 0, &[0; 8]);
        let data = frame(DATA, 0, &[7; 16_000]);
        let mut frames = begun();
        for _ in 0..3_000 {
            read(&mut frames, &ping).unwrap();
            read(&mut frames, &data).unwrap();
        }
        let mut frames = begun();
        read(&mut frames, &frame(DATA, END_STREAM, &[]).repeat(3_000)).unwrap();
        read(&mut frames, &frame(WINDOW_UPDATE, 0, &[0; 4]).repeat(3_000)).unwrap();
        // What was written counts as well.
        frames.wrote(TRAFFIC_BYTES as usize);
        read(&mut frames, &ping.repeat(1_000)).unwrap();
        assert_eq!(read(&mut frames, &ping.repeat(1_000)), Err(Flood));
    }
}
