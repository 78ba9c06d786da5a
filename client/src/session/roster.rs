//! The members of the room.

use std::collections::{BTreeMap, BTreeSet};

use tickwire_shared::PlayerId;
use tickwire_shared::control::{Member, ServerFrame};

/// The client's own stay in a room, and the room's members.
#[derive(Debug)]
pub(super) struct Roster {
    pub(super) room: String,
    /// This client only watches.
    pub(super) is_spectator: bool,
    /// The member who may kick.
    pub(super) host: Option<PlayerId>,
    members: BTreeMap<PlayerId, Member>,
    /// Whose connection was lost.
    away: BTreeSet<PlayerId>,
}

impl Roster {
    /// A stay in a room whose members are not known yet.
    pub(super) fn new(room: &str, is_spectator: bool) -> Self {
        Roster {
            room: room.to_owned(),
            is_spectator,
            host: None,
            members: BTreeMap::new(),
            away: BTreeSet::new(),
        }
    }

    /// All members, ordered by number.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Whether the connection of a member was lost, and the server keeps its place.
    pub(super) fn is_away(&self, player: PlayerId) -> bool {
        self.away.contains(&player)
    }

    /// Replaces the members and the host.
    pub(super) fn set_members(&mut self, host: Option<PlayerId>, members: &[Member]) {
        self.host = host;
        self.members = members.iter().map(|member| (member.player, member.clone())).collect();
    }

    /// Takes a frame that says who came, left or may kick.
    pub(super) fn handle(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::MemberJoined(member) => {
                self.members.insert(member.player, member.clone());
            }
            ServerFrame::MemberLeft { player, .. } => {
                self.members.remove(player);
                self.away.remove(player);
            }
            ServerFrame::MemberAway { player } => {
                self.away.insert(*player);
            }
            ServerFrame::MemberBack { player } => {
                self.away.remove(player);
            }
            ServerFrame::Host(host) => self.host = *host,
            _ => {}
        }
    }
}
