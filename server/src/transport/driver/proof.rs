//! Proof that a peer is at the address on its packets.
//!
//! Until then it gets at most three times the bytes that came from that address (RFC 9000, section
//! 8.1), which somebody else may have written. `quinn-proto` keeps to that except for the last
//! datagram, which it makes while a single byte of the budget is left.

/// Bytes that may be sent for each byte received.
const RATIO: u64 = 3;
/// Bytes of a datagram before the path is known to carry more (RFC 9000, section 14).
const HANDSHAKE_DATAGRAM_BYTES: u64 = 1200;
const LONG_HEADER: u8 = 0x80;
const KIND_BITS: u8 = 0x30;
const KIND_HANDSHAKE: u8 = 0x20;
/// Bytes before the ids: the first byte and the version.
const HEAD_BYTES: usize = 5;

/// Evidence in a datagram about its sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProofReceived {
    bytes: u64,
    /// All of it belongs to the second half of a handshake.
    is_handshake: bool,
}

/// The state of proof of an address that may be forged.
#[derive(Debug)]
pub(super) struct AddressProof {
    proven: bool,
    received_bytes: u64,
    sent_bytes: u64,
}

impl AddressProof {
    /// A peer after its `first` datagram; `proven` if it has already shown that it receives what is
    /// sent to it.
    pub(super) fn new(proven: bool, first: ProofReceived) -> Self {
        AddressProof { proven, received_bytes: first.bytes, sent_bytes: 0 }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Marks the address as proven.
    pub(super) fn prove(&mut self) {
        self.proven = true;
    }

    /// Counts a datagram; `was_read` if frames could be read from it.
    pub(super) fn received(&mut self, datagram: ProofReceived, was_read: bool) {
        self.received_bytes += datagram.bytes;
        self.proven |= was_read && datagram.is_handshake;
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// Datagrams that may be sent now, at most `wanted`. Each may be as large as in a handshake.
    pub(super) fn datagrams_left(&self, wanted: usize) -> usize {
        if self.proven {
            return wanted;
        }
        let left = (RATIO * self.received_bytes).saturating_sub(self.sent_bytes);
        usize::try_from(left / HANDSHAKE_DATAGRAM_BYTES).map_or(wanted, |left| left.min(wanted))
    }
}

impl ProofReceived {
    pub(super) fn new(datagram: &[u8]) -> Self {
        ProofReceived { bytes: datagram.len() as u64, is_handshake: is_handshake(datagram) }
    }
}

/// True if a datagram's long-header packets all belong to the second half of a handshake. Only a
/// peer that got the answer to its first packet can make one that decrypts.
fn is_handshake(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let Some(first) = rest.first().filter(|first| *first & LONG_HEADER != 0) {
        if first & KIND_BITS != KIND_HANDSHAKE {
            return false;
        }
        match after_handshake_packet(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    // A short header follows the handshake.
    rest.len() < datagram.len()
}

/// ```text
/// | first: u8 | version: u32 | length: u8, id | length: u8, id | length: varint, packet |   RFC 9000, section 17.2.4
/// ```
fn after_handshake_packet(datagram: &[u8]) -> Option<&[u8]> {
    let mut rest = datagram.get(HEAD_BYTES..)?;
    for _ in 0..2 {
        let (length, id) = rest.split_first()?;
        rest = id.get(usize::from(*length)..)?;
    }
    let (first, _) = rest.split_first()?;
    let (varint, packet) = rest.split_at_checked(1 << (first >> 6))?;
    let high = u64::from(first & 0x3f);
    let length = varint[1..].iter().fold(high, |value, byte| value << 8 | u64::from(*byte));
    packet.get(usize::try_from(length).ok()?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_no_more_than_three_times_what_it_sent_until_it_is_proven() {
        let of = |bytes, is_handshake| ProofReceived { bytes, is_handshake };
        let mut proof = AddressProof::new(false, of(1200, false));
        assert_eq!(proof.datagrams_left(10), 3);
        assert_eq!(proof.datagrams_left(2), 2);
        proof.sent(1200);
        proof.sent(222);
        assert_eq!(proof.datagrams_left(10), 1);
        proof.sent(1200);
        assert_eq!(proof.datagrams_left(10), 0, "978 bytes are left");
        // Anybody can make either of these.
        proof.received(of(30, true), false);
        proof.received(of(30, false), true);
        assert_eq!(proof.datagrams_left(10), 0);
        proof.received(of(1200, false), true);
        assert_eq!(proof.datagrams_left(10), 3);
        proof.received(of(30, true), true);
        assert_eq!(proof.datagrams_left(10), 10);
        assert_eq!(AddressProof::new(true, of(0, false)).datagrams_left(7), 7);
    }

    /// A packet with a long header of `kind`, ids of 8 and 0 bytes, and 30 bytes.
    fn packet(kind: u8) -> Vec<u8> {
        let head = [0xc0 | kind, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 30];
        [&head[..], &[0; 30]].concat()
    }

    #[test]
    fn a_datagram_of_handshake_packets_is_told_from_others() {
        let (initial, handshake) = (packet(0x00), packet(0x20));
        let short = vec![0x40; 30];
        assert!(is_handshake(&handshake));
        assert!(is_handshake(&[&handshake[..], &handshake].concat()));
        assert!(is_handshake(&[&handshake[..], &short].concat()));
        for (what, datagram) in [
            ("nothing", Vec::new()),
            ("an initial packet", initial.clone()),
            ("one behind another", [&handshake[..], &initial].concat()),
            ("one before another", [&initial[..], &handshake].concat()),
            ("one that is cut", handshake[..handshake.len() - 1].to_vec()),
            ("a head that is cut", handshake[..9].to_vec()),
            ("a short header alone", short),
        ] {
            assert!(!is_handshake(&datagram), "{what}");
        }
    }
}
