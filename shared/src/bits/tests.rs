//! Written bits are read back and measured.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_written_is_read_and_measured(
        values in prop::collection::vec((any::<u32>(), 0u32..=32), 0..200),
    ) {
        let mut writer = BitWriter::default();
        let mut measure = BitMeasure::default();
        for (value, count) in &values {
            writer.bits(&mut value.clone(), *count).unwrap();
            measure.bits(&mut value.clone(), *count).unwrap();
        }
        prop_assert_eq!(writer.len_bits(), measure.len_bits());
        let bytes = writer.into_bytes();
        let mut reader = BitReader::new(&bytes);
        for (value, count) in values {
            let mut read = 0;
            reader.bits(&mut read, count).unwrap();
            prop_assert_eq!(u64::from(read), u64::from(value) & ((1u64 << count) - 1));
        }
        prop_assert!(reader.finish().is_ok());
    }

    #[test]
    fn golomb_numbers_round_trip(values in prop::collection::vec(0u32..(1 << 31) - 1, 1..50)) {
        let mut direct = BitWriter::default();
        let mut writer = BitWriter::default();
        for value in &values {
            let before = writer.len_bits();
            writer.golomb(&mut value.clone()).unwrap();
            direct.push_golomb(*value);
            prop_assert_eq!(writer.len_bits() - before, golomb_bits(*value) as usize);
        }
        let bytes = writer.into_bytes();
        prop_assert_eq!(&direct.into_bytes(), &bytes);
        let mut reader = BitReader::new(&bytes);
        for value in values {
            let mut read = 0;
            reader.golomb(&mut read).unwrap();
            prop_assert_eq!(read, value);
        }
    }

    #[test]
    fn any_bytes_read_to_their_end_without_a_panic(bytes: Vec<u8>, counts: Vec<u8>) {
        let mut reader = BitReader::new(&bytes);
        for count in counts {
            let mut value = 0;
            let _ = reader.bits(&mut value, u32::from(count % 33));
            let _ = reader.golomb(&mut value);
        }
    }

    #[test]
    fn copied_words_are_the_same_bits(values in prop::collection::vec(any::<u8>(), 0..60), shift in 0u32..64) {
        let mut fragment = BitWriter::default();
        for value in &values {
            fragment.push(u64::from(*value & 0x7f), 7);
        }
        let bits = fragment.len_bits();
        fragment.align();
        let (mut copied, mut direct) = (BitWriter::default(), BitWriter::default());
        copied.push(0, shift);
        direct.push(0, shift);
        copied.push_words(fragment.words(), bits);
        for value in &values {
            direct.push(u64::from(*value & 0x7f), 7);
        }
        prop_assert_eq!(copied.into_bytes(), direct.into_bytes());
    }
}

#[test]
fn reading_past_the_end_is_an_error() {
    let mut reader = BitReader::new(&[0xff]);
    assert_eq!(reader.bits(&mut 0, 9), Err(BitError::Ended));
    assert_eq!(reader.bits(&mut 0, 8), Ok(()));
    assert_eq!(reader.bits(&mut 0, 1), Err(BitError::Ended));
}
