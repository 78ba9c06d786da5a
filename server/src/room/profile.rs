//! A profile on its way between the store and the rules.

use serde::{Deserialize, Serialize};
use tickwire_shared::control::Redacted;
use tickwire_shared::{Account, Options, PlayerId, Simulation, Tick};

/// The profile with which an account joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinProfile {
    /// The store's number for this stay: higher than that of all joins before it. A save with a lower one than the account's
    /// last join is stale.
    pub fence: u64,
    /// What the store has of the account; `None` before the first save.
    pub saved: Option<SavedProfile>,
}

/// A profile as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedProfile {
    /// The game's `PROFILE_VERSION` when it was saved.
    pub version: u32,
    /// The game's type as JSON.
    pub json: Redacted,
}

/// A profile on its way to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProfile {
    /// The player.
    pub player: PlayerId,
    /// The id of its account.
    pub account: String,
    /// The [number](JoinProfile::fence) of its stay.
    pub fence: u64,
    /// The step that saved it.
    pub tick: Tick,
    /// The profile.
    pub profile: SavedProfile,
}

/// The account of a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeatAccount {
    pub(super) id: String,
    /// The number of its stay, by which it saves a profile; `None` where none is kept, or who was let in without it.
    pub(super) fence: Option<u64>,
}

impl SeatAccount {
    /// `None` for a player without an account.
    pub(super) fn of(account: Option<&Account>, fence: Option<u64>) -> Option<Self> {
        Some(SeatAccount { id: account?.id.clone(), fence })
    }
}

/// Reads a profile, in the game's version of now.
///
/// # Errors
/// A description of the mistake: of an unknown version, or not of the game's type.
pub(super) fn read_profile<S: Simulation>(saved: &SavedProfile) -> Result<S::Profile, String> {
    let SavedProfile { version, json } = saved;
    if *version != S::PROFILE_VERSION {
        let known = S::PROFILE_VERSION;
        let unknown =
            || format!("it is of version {version}, and this game reads version {known} of it");
        return S::migrate_profile(*version, json.as_str()).ok_or_else(unknown);
    }
    let read = serde_json::from_str::<<S::Profile as Options>::Json>(json.as_str());
    read.map(Into::into).map_err(|error| error.to_string())
}
