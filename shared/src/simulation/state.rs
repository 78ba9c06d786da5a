//! The state of a room, as far as every game has the same of it.

use serde::{Serialize, de::DeserializeOwned};

/// A type that can be the state of a room: `#[state]` makes it one, with all types that it is made of. Serialised it is a
/// checkpoint.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of a room",
    label = "write `#[state]` above this type, and above all types of yours in it",
    note = "it must be Serialize, DeserializeOwned, Send and 'static; without `#[state]`, derive the two traits of serde"
)]
pub trait GameState: Serialize + DeserializeOwned + Send + 'static {}

/// A type within a [`GameState`] or within options: `#[state]` asks for it, so that the compiler tells of `#[state]` before it
/// tells of serde.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a state or of options",
    label = "write `#[state]` above this type, and above all types of yours in it",
    note = "a type of another crate must be Serialize and DeserializeOwned"
)]
pub trait StatePart {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> StatePart for T {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> GameState for T {}
