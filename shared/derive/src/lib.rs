//! `#[derive(Replicate)]` and `#[derive(Input)]`: a type's fields become a field table and integer
//! lanes.
//!
//! Use them through `tickwire_shared`, which says what the traits mean. Read this crate in the
//! order of its work: `attributes` as written, the `field` they make, the `table` of a struct; then
//! the enums, `kinds` and `choice`.

mod attributes;
mod choice;
mod expand;
mod field;
mod game;
mod kinds;
mod paths;
mod table;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;

/// Makes a type part of what is seen: a kind of entity or event, a choice of kinds, or a field of
/// one.
///
/// - On a struct with named fields: `Lanes`, one kind.
/// - On an enum whose variants each hold one such struct: `Kinds`, numbered in the order of the variants.
/// - On an enum without fields: `Choice`, so it can be a field. It must be `Copy`.
///
/// ```
/// use tickwire_shared::Replicate;
/// use tickwire_shared::glam::{Quat, Vec2};
///
/// const HALF_WIDTH: f32 = 2048.0;
///
/// #[derive(Replicate)]
/// struct Ship {
///     #[replicate(range = -HALF_WIDTH..=HALF_WIDTH, step = 0.03125, velocity = vel)]
///     pos: Vec2,
///     #[replicate(range = -512.0..=512.0, step = 0.25)]
///     vel: Vec2,
///     #[replicate(angle, bits = 10)]
///     heading: f32,
///     #[replicate(bits = 9)]
///     turret: Quat,
///     #[replicate(range = 0..=100)]
///     health: u8,
///     #[replicate(rare)]
///     team: Team,
///     #[replicate(owner)]
///     ammunition: u16,
///     boosting: bool,
/// }
///
/// #[derive(Clone, Copy, Replicate)]
/// enum Team {
///     Red,
///     Blue,
/// }
///
/// #[derive(Replicate)]
/// struct Rock {
///     #[replicate(range = -HALF_WIDTH..=HALF_WIDTH, step = 0.125)]
///     pos: Vec2,
///     #[replicate(range = 1.0..=64.0, step = 1.0, initial)]
///     radius: f32,
/// }
///
/// #[derive(Replicate)]
/// enum Entity {
///     Ship(Ship),
///     Rock(Rock),
/// }
/// ```
///
/// # Fields
///
/// | type | attributes |
/// | --- | --- |
/// | `bool`, an enum without fields | none |
/// | `u8`, `i8`, `u16`, `i16`, `u32`, `i32`, `PlayerId`, `EntityId`, `Tick` | `range = min..=max`, or the whole type |
/// | `f32` | `range = min..=max, step = unit`, or `angle, bits = 1 to 24` for radians |
/// | `Vec2`, `Vec3` | `range = min..=max, step = unit`, of each coordinate |
/// | `Quat` | `bits = 2 to 15`, of each of its smallest three components; `quat, bits = ..` is the same |
/// | `Text<N>` of at most `N` bytes, 1 to 64 | none |
/// | `Option<T>` of one of them, `[T; N]` of 1 to 32 of them, `Option<[T; N]>` | as of `T` |
///
/// Ranges, steps and bits may be any constant expression, `Self::CONSTANT` included. A value that does not
/// fit is sent as the nearest that does, and told as a `Misfits` of `to_lanes`.
///
/// Any field may be `owner` (sent only to the entity's owner; others read it as from zero lanes)
/// and either `rare` (seldom changes: costs next to nothing while it does not) or `initial` (sent
/// once, when the entity first appears: one that changes makes it another entity).
///
/// A number, an angle or a vector may name its rate of change per second, `velocity = other_field`, for the
/// codec to predict from: a number or vector of as many lanes, with the same `rare` and `initial`, no
/// `velocity` of its own, and `owner` only where this field is; neither is optional or an array.
///
/// A kind has at most 64 lanes: a `Vec2` takes two, a `Vec3` three, a `Quat` four, a `Text<N>` one and one more for each
/// four bytes, everything else one; an array as many times that, and an `Option` one more. A game has at most 64 kinds of entity, and as many of event.
#[proc_macro_derive(Replicate, attributes(replicate))]
pub fn replicate(item: TokenStream) -> TokenStream {
    finish(expand::replicate(item.into()))
}

/// Makes a struct what a player holds down in one tick: `Lanes`, with the fields and the ranges of
/// [`Replicate`](macro@Replicate), but no `owner`, `rare`, `initial` or `velocity`.
///
/// ```
/// use tickwire_shared::Input;
///
/// #[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
/// struct Pilot {
///     #[replicate(range = -1..=1)]
///     turn: i8,
///     thrust: bool,
///     #[replicate(angle, bits = 8)]
///     aim: f32,
/// }
/// ```
#[proc_macro_derive(Input, attributes(replicate))]
pub fn input(item: TokenStream) -> TokenStream {
    finish(expand::input(item.into()))
}

/// On an `impl Simulation for MyGame`: adds the associated types that the game does not name, so that it names only what it
/// uses. `Event` is `NoEvent` then, `Command` is `NoCommand`, `RoomOptions` and `JoinOptions` are `()`.
#[proc_macro_attribute]
pub fn game(_attributes: TokenStream, item: TokenStream) -> TokenStream {
    finish(game::game(item.into()))
}

/// On a struct or an enum that is part of a game's state: derives `Serialize` and `Deserialize` of serde, so that a game
/// need not depend on serde itself. Attributes of serde, such as `#[serde(default)]`, work as always.
#[proc_macro_attribute]
pub fn state(_attributes: TokenStream, item: TokenStream) -> TokenStream {
    finish(Ok(game::state(&item.into())))
}

fn finish(expanded: syn::Result<TokenStream2>) -> TokenStream {
    paths::resolve(expanded.unwrap_or_else(syn::Error::into_compile_error)).into()
}
