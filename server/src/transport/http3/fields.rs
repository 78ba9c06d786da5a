//! Decodes the field lines of a field section (RFC 9204) that may use only the static table.
//!
//! ```text
//! +-------------------+------+-------------+
//! | insert count: 0   | base | field lines |   RFC 9204, section 4.5
//! +-------------------+------+-------------+
//!   1 1 index (6+)                          a line of the static table
//!   0 1 N 1 index (4+), value               a name of the static table, and a value
//!   0 0 1 N H length (3+), name, value      neither of the table
//!   a value is H length (7+), bytes; H says that they are in the Huffman code
//! ```
//!
//! The static table is that of `wtransport-proto`, whose own decoder keeps only one line of each
//! name and no value that is not UTF-8.

use wtransport_proto::qpack;

/// A name and its value, as received.
pub(super) type HeaderField = (Vec<u8>, Vec<u8>);

/// Bytes of field lines, each with 32 on top of its name and value (RFC 9114, section 4.2.2). A
/// browser's request has a few hundred.
pub(super) const SECTION_BYTES_MAX: usize = 16_384;
const LINE_BYTES: usize = 32;

/// The reason why there are no field lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldsError {
    /// They cannot be decoded, which ends the connection.
    Undecodable,
    /// They exceed [`SECTION_BYTES_MAX`], which gets an answer.
    TooLarge,
}

/// The field lines of a section, in their order.
pub(super) fn decode(section: &[u8]) -> Result<Vec<HeaderField>, FieldsError> {
    let mut rest = Section(section);
    let (insert_count, base) = (rest.integer(8)?, rest.first()?);
    // A base before the first entry is impossible.
    if insert_count != 0 || base & 0x80 != 0 {
        return Err(FieldsError::Undecodable);
    }
    rest.integer(7)?;
    let (mut fields, mut bytes) = (Vec::new(), 0);
    while let Ok(first) = rest.first() {
        let (name, value) = rest.line(first)?;
        bytes += name.len() + value.len() + LINE_BYTES;
        if bytes > SECTION_BYTES_MAX {
            return Err(FieldsError::TooLarge);
        }
        fields.push((name, value));
    }
    Ok(fields)
}

/// A field section of all `fields`.
pub(super) fn encode(fields: &[(&str, &str)]) -> Box<[u8]> {
    qpack::Encoder::encode(fields.iter().copied())
}

/// The undecoded rest of a section.
struct Section<'a>(&'a [u8]);

impl<'a> Section<'a> {
    fn first(&self) -> Result<u8, FieldsError> {
        self.0.first().copied().ok_or(FieldsError::Undecodable)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], FieldsError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(FieldsError::Undecodable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn line(&mut self, first: u8) -> Result<HeaderField, FieldsError> {
        let indexed = first & 0xc0 == 0xc0;
        let named_by_index = first & 0xd0 == 0x50;
        if indexed || named_by_index {
            let index = self.integer(if indexed { 6 } else { 4 })?;
            let (name, value) = of_static_table(index)?;
            return Ok((name, if indexed { value } else { self.string(7)? }));
        }
        // All other forms refer to the dynamic table, which is empty.
        if first & 0xe0 != 0x20 {
            return Err(FieldsError::Undecodable);
        }
        Ok((self.string(3)?, self.string(7)?))
    }

    /// An integer that begins in the low `prefix` bits (RFC 7541, section 5.1). It may have 28 more
    /// bits, which is enough here.
    fn integer(&mut self, prefix: u32) -> Result<usize, FieldsError> {
        let mask = (1 << prefix) - 1;
        let mut value = usize::from(self.bytes(1)?[0]) & mask;
        if value < mask {
            return Ok(value);
        }
        for shift in (0..=21).step_by(7) {
            let byte = self.bytes(1)?[0];
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FieldsError::Undecodable)
    }

    /// A string whose length begins in the low `prefix` bits; the bit above them marks the Huffman
    /// code.
    fn string(&mut self, prefix: u32) -> Result<Vec<u8>, FieldsError> {
        let is_huffman = self.first()? & (1 << prefix) != 0;
        let length = self.integer(prefix)?;
        let bytes = self.bytes(length)?;
        if is_huffman { of_huffman(bytes) } else { Ok(bytes.to_vec()) }
    }
}

fn of_static_table(index: usize) -> Result<HeaderField, FieldsError> {
    let index = u8::try_from(index).map_err(|_| FieldsError::Undecodable)?;
    // A section of only this line. Six ones mean that the index continues.
    let long = [0, 0, 0xff, index.wrapping_sub(63)];
    let short = [0, 0, 0xc0 | index];
    let section = if index < 63 { &short[..] } else { &long[..] };
    let line = qpack::Decoder::decode(section).map_err(|_| FieldsError::Undecodable)?;
    let (name, value) = line.into_iter().next().ok_or(FieldsError::Undecodable)?;
    Ok((name.into_bytes(), value.into_bytes()))
}

fn of_huffman(bytes: &[u8]) -> Result<Vec<u8>, FieldsError> {
    let mut decoded = Vec::new();
    let speed = httlib_huffman::DecoderSpeed::OneBit;
    let result = httlib_huffman::decode(bytes, &mut decoded, speed);
    result.map_err(|_| FieldsError::Undecodable)?;
    // Each string has exactly one code. Any other input had too much padding, or padding other than
    // ones.
    let mut again = Vec::new();
    let result = httlib_huffman::encode(&decoded, &mut again);
    if result.is_err() || again != bytes {
        return Err(FieldsError::Undecodable);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(name: &str, value: &[u8]) -> HeaderField {
        (name.as_bytes().to_vec(), value.to_vec())
    }

    #[test]
    fn lines_of_every_form_are_read_in_their_order() {
        let section = [
            &[0, 0, 0xc0 | 15][..],
            // The table's last line, and its name with another value.
            &[0xff, 98 - 63, 0x5f, 98 - 15, 1, b'a'],
            // Two lines outside the table, the second not UTF-8.
            &[0x22, b'x', b'y', 1, b'1', 0x22, b'x', b'y', 1, 0xe9],
            // "www.example.com" from RFC 7541, appendix C.4.1.
            &[0x50, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff],
        ]
        .concat();
        let fields = [
            named(":method", b"CONNECT"),
            named("x-frame-options", b"sameorigin"),
            named("x-frame-options", b"a"),
            named("xy", b"1"),
            named("xy", &[0xe9]),
            named(":authority", b"www.example.com"),
        ];
        assert_eq!(decode(&section), Ok(fields.to_vec()));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let fields = [(":status", "405"), ("allow", "CONNECT"), ("x", "")];
        let decoded = decode(&encode(&fields)).unwrap();
        let expected = fields.map(|(name, value)| named(name, value.as_bytes()));
        assert_eq!(decoded, expected);
    }

    #[test]
    fn what_no_encoder_may_send_is_undecodable() {
        for (what, lines) in [
            ("an entry of the dynamic table", &[0x80][..]),
            ("a name of the dynamic table", &[0x40, 1, b'a']),
            ("an entry after the base", &[0x10]),
            ("a name after the base", &[0x00, 1, b'a']),
            ("an index beyond the static table", &[0xff, 99 - 63]),
            ("an index of more than a byte", &[0xff, 0xff, 0x01]),
            ("a name without a value", &[0x21, b'a']),
            ("a value that is cut", &[0x21, b'a', 5, b'b']),
            ("a length of twelve bytes", &[0x27, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1]),
            ("padding of more than seven bits", &[0x21, b'a', 0x82, 0xff, 0xff]),
            ("padding with a zero in it", &[0x21, b'a', 0x81, 0x1e]),
            ("the end of a string in it", &[0x21, b'a', 0x84, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let section = [&[0, 0], lines].concat();
            assert_eq!(decode(&section), Err(FieldsError::Undecodable), "{what}");
        }
        for (what, section) in [
            ("nothing", &[][..]),
            ("no base", &[0]),
            ("an insert count", &[2, 0]),
            ("a base below zero", &[0, 0x80]),
        ] {
            assert_eq!(decode(section), Err(FieldsError::Undecodable), "{what}");
        }
        assert_eq!(decode(&[0, 0]), Ok(Vec::new()));
    }

    #[test]
    fn the_size_counts_every_line() {
        let line = [0x21, b'a', 0];
        let fit = SECTION_BYTES_MAX / (1 + LINE_BYTES);
        let section = |lines: usize| [&[0, 0][..], &line.repeat(lines)].concat();
        assert_eq!(decode(&section(fit)).unwrap().len(), fit);
        assert_eq!(decode(&section(fit + 1)), Err(FieldsError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(section: Vec<u8>) {
            let _ = decode(&section);
            let _ = decode(&[&[0, 0][..], &section].concat());
        }
    }
}
