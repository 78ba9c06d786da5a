//! The sites of a model as bits.

use super::Compiled;
use super::place::LanePlace;
use super::token::{self, TOKEN_PLAIN, TOKENS};
use crate::bits::BitError;
use crate::lane_stream::LaneStream;

/// The part of a symbol before a lane's token: one of `count` heads. The token follows only after
/// the `usual` one.
#[derive(Debug)]
pub struct SymbolHead<'a> {
    /// The head's number.
    pub value: &'a mut usize,
    /// The head that is implied by a lane's token.
    pub usual: usize,
}

impl SymbolHead<'_> {
    /// True if the head itself is coded: it is not the usual one, or no lane can stand in its
    /// place.
    #[inline(always)]
    pub fn is_told(&self, has_lane: bool) -> bool {
        *self.value != self.usual || !has_lane
    }
}

/// Receives an entity's sites in order.
pub trait SiteStream {
    /// True if lanes are filled in.
    const READING: bool;

    /// Codes site `site`: a head, or a lane, or a lane if the head is the usual one.
    ///
    /// # Errors
    /// [`BitError`] when reading bits that no writer writes.
    fn site(
        &mut self,
        site: usize,
        features: &[i32],
        head: Option<SymbolHead<'_>>,
        lane: Option<(&LanePlace, &mut i32)>,
    ) -> Result<(), BitError>;
}

/// The sites of a model as bits.
pub(crate) struct Coding<'a, R> {
    pub(crate) model: &'a Compiled,
    pub(crate) run: &'a mut R,
}

impl<R: LaneStream> SiteStream for Coding<'_, R> {
    const READING: bool = R::READING;

    #[inline(always)]
    fn site(
        &mut self,
        site: usize,
        features: &[i32],
        head: Option<SymbolHead<'_>>,
        lane: Option<(&LanePlace, &mut i32)>,
    ) -> Result<(), BitError> {
        let leaf = self.model.sites[site].leaf(features);
        let (mut symbol, mut low) = (0, 0);
        if !R::READING {
            symbol = match (&head, &lane) {
                (Some(head), lane) if head.is_told(lane.is_some()) => TOKENS + *head.value,
                (_, Some((place, value))) => {
                    let (token, bits, _) =
                        token::split(place.residual(**value, leaf.weight, leaf.bias));
                    low = bits;
                    token
                }
                _ => unreachable!("a site has a head or a lane"),
            };
        }
        self.run.symbol(&leaf.code, &mut symbol, &mut low)?;
        if let Some(head) = head {
            if symbol >= TOKENS {
                *head.value = symbol - TOKENS;
                return Ok(());
            }
            *head.value = head.usual;
        }
        let (place, value) = lane.ok_or(BitError::Invalid)?;
        if symbol == TOKEN_PLAIN {
            let mut offset = place.offset(*value) as u32;
            self.run.bits(&mut offset, place.bits);
            if R::READING {
                *value = place.checked(offset)?;
            }
        } else if R::READING {
            *value = place.value(token::join(symbol, low), leaf.weight, leaf.bias)?;
        }
        Ok(())
    }
}
