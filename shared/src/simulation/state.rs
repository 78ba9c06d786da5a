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

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> GameState for T {}
