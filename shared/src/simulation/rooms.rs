//! What a room is made with, who comes in, and on what terms.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{PlayerId, Simulation};
use crate::control::Redacted;

/// A type that [`Simulation::RoomOptions`] or [`Simulation::JoinOptions`] can be. The default stands for what a client leaves out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the options of a room or a join",
    label = "write `#[state]` and `#[derive(Clone, Default)]` above this type, or take `()` for none",
    note = "options are Serialize, DeserializeOwned, Clone, Default, Send and Sync, with all types of yours in them"
)]
pub trait Options: Clone + Default + Send + Sync + 'static {
    /// This type again. Were serde's traits those of `Options` itself, the compiler would tell of them and not of `#[state]`.
    #[doc(hidden)]
    type Json: Serialize + DeserializeOwned + Into<Self>;

    /// The same value.
    #[doc(hidden)]
    fn as_json(&self) -> &Self::Json;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Clone + Default + Send + Sync + 'static> Options for T {
    type Json = T;

    fn as_json(&self) -> &T {
        self
    }
}

/// A room that is made.
#[derive(Clone, Debug)]
pub struct NewRoom<'a, G: Simulation> {
    /// For the game's random numbers: another one for each room.
    pub seed: u64,
    /// The room's name.
    pub name: &'a str,
    /// What it is made with.
    pub options: G::RoomOptions,
}

impl<G: Simulation> NewRoom<'_, G> {
    /// A room without a name, by the default options, as tests and benchmarks make it.
    pub fn with_seed(seed: u64) -> Self {
        NewRoom { seed, name: "", options: G::RoomOptions::default() }
    }
}

/// The account of a player, the same in all its sessions; from its join token, or the server's authenticator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Its id in the game's own backend, 1 to 64 bytes. Other players never see it.
    pub id: String,
    /// The game's own number for the player's place in the room, if its token has one.
    pub seat: Option<u32>,
}

/// A player that takes a seat.
#[derive(Clone, Debug)]
pub struct NewPlayer<'a, G: Simulation> {
    /// Its number until it leaves.
    pub id: PlayerId,
    /// Its name, unique in the room.
    pub name: &'a str,
    /// Its account; `None` for a guest and a bot.
    pub account: Option<&'a Account>,
    /// What was [saved](super::Outbox::save) for its account; `None` for a guest, a bot, an account without a save, and
    /// without a store.
    pub profile: Option<G::Profile>,
    /// What it asks for.
    pub options: G::JoinOptions,
    /// The server plays it; see [`RoomPolicy::bots`].
    pub is_bot: bool,
}

impl<'a, G: Simulation> NewPlayer<'a, G> {
    /// A player with the default options, as tests and benchmarks seat it.
    pub fn named(id: PlayerId, name: &'a str) -> Self {
        let options = G::JoinOptions::default();
        NewPlayer { id, name, account: None, profile: None, options, is_bot: false }
    }
}

/// Why a player left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LeaveReason {
    /// It gave its seat back, closed the game, or goes on elsewhere by the same account.
    Left,
    /// Its connection was lost, or it did not keep to the protocol.
    Lost,
    /// It was removed by the room's host or by the server.
    Removed,
    /// A bot made way for a person, or a bot goes on for a player who was lost; see [`RoomPolicy`]. The other one joins
    /// right after this: a game that keeps the ship for it gives it to `by` here, and finds it there in `join`.
    Replaced {
        /// Who takes the place.
        by: PlayerId,
    },
}

/// What holds for a room, by [`Simulation::room_policy`]. The default is what the server's settings say.
///
/// ```
/// # use tickwire_shared::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// #[serde(default)]
/// struct Match {
///     teams: u8,
///     password: String,
/// }
///
/// fn room_policy(options: &Match) -> Result<RoomPolicy, Refusal> {
///     if options.teams > 4 {
///         return Err(Refusal::new(1, "there are four colours: ask for up to 4 teams"));
///     }
///     Ok(RoomPolicy {
///         seats: Some(8 * u32::from(options.teams.max(1))),
///         password: options.password.as_str().into(),
///         tags: vec![format!("teams-{}", options.teams)],
///         metadata: format!(r#"{{"teams":{}}}"#, options.teams),
///         ..RoomPolicy::default()
///     })
/// }
/// # assert_eq!(room_policy(&Match::default()).unwrap().seats, Some(8));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomPolicy {
    /// Seats, at least 1; as many as the server's `room.players_max` at most, and if not given.
    pub seats: Option<u32>,
    /// Places to watch from; as many as the server's `room.spectators_max` at most, and if not given.
    pub spectators: Option<u32>,
    /// It is in no list of rooms; whoever knows its name comes in.
    pub unlisted: bool,
    /// Who does not know it does not come in, but for the one who makes the room; empty for none.
    pub password: Redacted,
    /// Whether those come in who take any room. If not given, they do where the room was made by one of them. A room
    /// with a password never takes them.
    pub quick_join: Option<bool>,
    /// What lists can be filtered by: at most 8 of 1 to 32 ASCII letters, digits, `-` or `_`.
    pub tags: Vec<String>,
    /// What lists show of the room beside its name and numbers, as JSON text; at most `room.metadata_bytes_max` of
    /// the server's settings. Empty for nothing.
    pub metadata: String,
    /// Players up to which bots of the server's own fill the room: one makes way for each person who joins, and comes back
    /// when one leaves. At most as many bots as seats, and as `room.bots_max` of the server's settings. They hold what
    /// [`Simulation::bot_input`] says, and stand still with the room while nobody is in it.
    pub bots: Option<u32>,
    /// The names of bots, in the order in which they come. One without a name, or whose name somebody in the room has, is
    /// `Bot 1`, `Bot 2` and so on.
    pub bot_names: Vec<String>,
    /// A bot goes on for a player whose connection was lost, also where `bots` are enough.
    pub bots_replace_lost: bool,
}

/// Why the game does not make a room or does not let a player in, by [`Simulation::room_policy`] and
/// [`Simulation::may_join`]. Clients are given both as they are.
///
/// ```
/// # use tickwire_shared::{Refusal, Simulation};
/// /// The code of this game for a team that is full.
/// const TEAM_FULL: u16 = 2;
///
/// fn may_join_team(members: usize) -> Result<(), Refusal> {
///     match members {
///         0..5 => Ok(()),
///         _ => Err(Refusal::new(TEAM_FULL, "this team has five players; choose the other one")),
///     }
/// }
/// # assert_eq!(may_join_team(5).unwrap_err().code, TEAM_FULL);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The game's own number for it, for programs.
    pub code: u16,
    /// Why and what to do, for a person.
    pub text: String,
}

impl Refusal {
    /// A refusal by the game's code, with a text that says what to do.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Refusal { code, text: text.into() }
    }
}
