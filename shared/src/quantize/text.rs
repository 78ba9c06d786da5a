//! Texts as lanes: the length, then four bytes to a lane, the first lowest.

use super::{Field, OwnType};
use crate::schema::{ChoiceSchema, FieldType};
use crate::text::Text;

impl<const N: usize> OwnType for Text<N> {
    const TYPE: FieldType = FieldType::Text { bytes: Self::BYTES_MAX };

    fn choice() -> Option<ChoiceSchema> {
        None
    }
}

impl<const N: usize> Field for Text<N> {
    #[inline]
    fn quantize(&self, _ty: FieldType, lanes: &mut [i32]) -> bool {
        let (length, bytes) = lanes.split_at_mut(1);
        length[0] = self.len() as i32;
        let text = self.as_bytes().chunks(4).map(word).chain(std::iter::repeat(0));
        bytes.iter_mut().zip(text).for_each(|(lane, word)| *lane = word);
        true
    }

    /// Lanes that no text has become what of them is text.
    #[inline]
    fn dequantize(_ty: FieldType, lanes: &[i32]) -> Self {
        let mut bytes = [0; 4 * crate::schema::LANES_MAX];
        for (bytes, lane) in bytes.chunks_exact_mut(4).zip(&lanes[1..]) {
            bytes.copy_from_slice(&lane.to_le_bytes());
        }
        let length = (lanes[0].max(0) as usize).min(N);
        match std::str::from_utf8(&bytes[..length]) {
            Ok(text) => Text::cut(text),
            Err(_) => Text::cut(&String::from_utf8_lossy(&bytes[..length])),
        }
    }
}

fn word(bytes: &[u8]) -> i32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    i32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_comes_back(text in any::<String>()) {
            let text = Text::<10>::cut(&text);
            let mut lanes = [-1; 4];
            prop_assert!(text.quantize(Text::<10>::TYPE, &mut lanes));
            prop_assert_eq!(Text::<10>::TYPE.lanes(), 4);
            for (at, lane) in lanes.iter().enumerate() {
                let (min, max) = Text::<10>::TYPE.lane_range(at);
                let offset = i64::from(lane.wrapping_sub(min as i32).cast_unsigned());
                prop_assert!(offset <= max - min, "lane {at} is {lane}");
            }
            prop_assert_eq!(Text::<10>::dequantize(Text::<10>::TYPE, &lanes), text);
        }

        #[test]
        fn any_lanes_are_some_text(lanes in any::<[i32; 4]>()) {
            let text = Text::<10>::dequantize(Text::<10>::TYPE, &lanes);
            prop_assert!(Text::<10>::new(&text).is_ok());
        }
    }
}
