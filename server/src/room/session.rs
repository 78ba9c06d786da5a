//! Joins, leaves, kicks and chat.

use std::sync::Arc;
use std::time::Instant;

use tickwire_shared::control::{
    ChatMessage, ClientChat, CloseCode, Redacted, RefuseCode, RequestId, ServerChat, ServerFrame,
};
use tickwire_shared::{Account, LeaveReason, NewPlayer, PlayerId, Simulation};

use super::chat::ChatRefusal;
use super::member::RoomMember;
use super::message::FromRoom;
use super::profile::{JoinProfile, SeatAccount, read_profile};
use super::resume_right::ResumeRight;
use super::{Room, chat, options};

/// Most characters of a kick's reason.
const REASON_CHARACTERS_MAX: usize = 200;

impl<S: Simulation> Room<S> {
    pub(super) fn join(
        &mut self,
        (now, time_ms): (Instant, u64),
        (request, player): (RequestId, PlayerId),
        (name, account, profile): (&str, Option<&Account>, Option<&JoinProfile>),
        (seat_options, last_seat): (Option<&Redacted>, u8),
        resume: Option<ResumeRight>,
    ) -> Result<(), ChatRefusal> {
        if self.members.contains_key(&player) {
            let text = "you are in this room already; leave it first".to_owned();
            return Err((RefuseCode::AlreadyInRoom, text));
        }
        if self.kicks.keeps_out(player, now) {
            let text = "you were removed from this room a while ago; join another one".to_owned();
            return Err((RefuseCode::RemovedFromRoom, text));
        }
        let (name, key) = chat::clean_name(&self.config, name)?;
        if let Some(member) = self.members.values().find(|member| member.name_key.is_like(&key)) {
            let taken = &member.name;
            let text = format!("\"{taken}\" is here; choose a name that does not look like it");
            return Err((RefuseCode::NameTaken, text));
        }
        let spectator = seat_options.is_none();
        if let Some(bot) = self.bots.named_like(&key).filter(|_| spectator) {
            let text = format!("a bot, {bot:?}, has a name like this; choose another");
            return Err((RefuseCode::NameTaken, text));
        }
        self.check_place(spectator)?;
        let options = match seat_options {
            Some(options) => options::parse(&self.config, options)?,
            None => S::JoinOptions::default(),
        };
        let saved = read_saved::<S>(player, profile)?;
        let new =
            NewPlayer { id: player, name: &name, account, profile: saved, options, is_bot: false };
        if !spectator {
            self.simulation.may_join(&new).map_err(options::told)?;
            self.bot_makes_way(player, &key);
        }
        let is_first = self.members.is_empty();
        let seat = last_seat.wrapping_add(1);
        let named = (player, name.clone(), key);
        let mut member = RoomMember::new(&self.config, now, named, seat, spectator);
        member.replication.open_keyframe(self.tick, S::TICK_HZ);
        let fence = profile.map(|profile| profile.fence);
        member.account = SeatAccount::of(account.filter(|_| !spectator), fence);
        self.tell_everyone(ServerFrame::MemberJoined(member.info()));
        self.members.insert(player, member);
        self.everyone = None;
        let host_changed = self.choose_host();
        match seat_options {
            Some(options) => {
                self.simulation.join(&new, profile, options.as_str(), resume);
            }
            None => self.simulation.watched_by(player, &name, resume),
        }
        if is_first {
            // Without other members there is nobody to inform.
            self.fill_with_bots();
        }
        let frame = ServerFrame::Joined {
            request,
            room: self.info(),
            tick: self.tick,
            seat,
            spectator,
            host: self.host,
            members: self.member_infos(),
        };
        self.tell(player, frame);
        self.tell_who_is_away(player);
        self.tell_static_data(player);
        if host_changed && self.members.len() > 1 {
            self.tell_everyone(ServerFrame::Host(self.host));
        }
        let verb = if spectator { "watches" } else { "joined" };
        self.notice(time_ms, &format!("{name} {verb}"));
        Ok(())
    }

    /// Checks for a free seat, or a free place for a spectator.
    fn check_place(&self, spectator: bool) -> Result<(), ChatRefusal> {
        if !spectator && self.simulation.playback().is_some() {
            let text = "this room shows a replay, in which nobody plays; watch it".to_owned();
            return Err((RefuseCode::RoomFull, text));
        }
        let info = self.info();
        let (taken, most) = match spectator {
            true => (info.spectators as usize, self.config.spectators_max),
            false => (info.players as usize, self.config.players_max),
        };
        if taken < most {
            return Ok(());
        }
        if !spectator {
            return Err(options::no_seat(taken, most));
        }
        let text = format!(
            "every place to watch from in this room is taken, {taken} of {most}; choose another room"
        );
        Err((RefuseCode::RoomFull, text))
    }

    pub(super) fn leave(
        &mut self,
        time_ms: u64,
        request: Option<RequestId>,
        player: PlayerId,
        code: CloseCode,
    ) {
        let was_here = self.remove(time_ms, player, code);
        let Some(request) = request else { return };
        if was_here {
            self.outgoing.push_back(FromRoom::Released { player });
            self.tell(player, ServerFrame::Left { request });
        } else {
            let text = "you are not in this room any more".to_owned();
            self.refuse(player, request, (RefuseCode::NotInRoom, text));
        }
    }

    fn remove(&mut self, time_ms: u64, player: PlayerId, code: CloseCode) -> bool {
        let Some(member) = self.members.remove(&player) else { return false };
        self.everyone = None;
        self.drop_commands(player);
        self.tell_everyone(ServerFrame::MemberLeft { player, code });
        let reason = reason_of(code);
        self.note_left(player, &member);
        match member.is_spectator() {
            true => self.simulation.left_by_spectator(player, reason),
            false => self.seat_is_free(player, reason),
        }
        let how = match code {
            CloseCode::Normal => "left",
            CloseCode::Kicked => "was removed",
            _ => "lost the connection",
        };
        self.notice(time_ms, &format!("{} {how}", member.name));
        if self.choose_host() {
            self.tell_everyone(ServerFrame::Host(self.host));
        }
        true
    }

    /// Keeps the host while it is a player here; else picks the player with the lowest number.
    /// Returns true if the host changed.
    pub(super) fn choose_host(&mut self) -> bool {
        if !self.is_hosted {
            return false;
        }
        let before = self.host;
        let mut players = self.members.values().filter(|member| !member.is_spectator());
        let first = players.next().map(|member| member.player);
        let is_here = |host| self.members.get(&host).is_some_and(|member| !member.is_spectator());
        self.host = before.filter(|host| is_here(*host)).or(first);
        self.host != before
    }

    pub(super) fn set_path(&mut self, player: PlayerId, datagram_bytes_max: usize) {
        if let Some(member) = self.members.get_mut(&player) {
            member.bandwidth.set_datagram_bytes_max(datagram_bytes_max);
        }
    }

    pub(super) fn kick(
        &mut self,
        (now, time_ms): (Instant, u64),
        by: PlayerId,
        player: PlayerId,
        reason: &str,
    ) -> Result<(), ChatRefusal> {
        if self.host != Some(by) {
            let text = "only the room's host may remove a member".to_owned();
            return Err((RefuseCode::NotHost, text));
        }
        if self.bots.is_playing(player) {
            let text = "a bot goes by itself once somebody joins".to_owned();
            return Err((RefuseCode::KickNotAllowed, text));
        }
        if !self.members.contains_key(&player) {
            let text = "that member is not in this room any more".to_owned();
            return Err((RefuseCode::NoSuchPlayer, text));
        }
        if !self.simulation.may_kick(by, player) {
            let text = "the game does not let you remove this player".to_owned();
            return Err((RefuseCode::KickNotAllowed, text));
        }
        if self.kicks.is_too_fast(&self.config, now) {
            let pause_s = self.config.kick_pause_s;
            let text = format!("one member may be removed in {pause_s} s; wait a little");
            return Err((RefuseCode::KickTooFast, text));
        }
        self.remove(time_ms, player, CloseCode::Kicked);
        self.kicks.removed(&self.config, player, now);
        let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
        let text = match chat::clean_message(&self.config, &reason) {
            Ok(reason) => format!("{}: {reason}", CloseCode::Kicked.text()),
            Err(_) => CloseCode::Kicked.text().to_owned(),
        };
        self.outgoing.push_back(FromRoom::Released { player });
        self.tell(player, ServerFrame::Removed { text });
        Ok(())
    }

    pub(super) fn chat(&mut self, now: Instant, time_ms: u64, player: PlayerId, chat: &ClientChat) {
        if let Err((code, text)) = self.deliver(now, time_ms, player, chat) {
            let chat = ServerChat::Refused { request: chat.request(), code, text };
            self.outgoing.push_back(FromRoom::Chat { player, chat });
        }
    }

    fn deliver(
        &mut self,
        now: Instant,
        time_ms: u64,
        from: PlayerId,
        chat: &ClientChat,
    ) -> Result<(), ChatRefusal> {
        let (request, text, to) = match chat {
            ClientChat::Say { request, text } => (*request, text, None),
            ClientChat::Tell { request, player, text } => (*request, text, Some(*player)),
            ClientChat::History { .. } => {
                let text = "the room itself keeps no messages".to_owned();
                return Err((RefuseCode::Busy, text));
            }
        };
        let Some(member) = self.members.get_mut(&from) else {
            return Err((RefuseCode::NotInRoom, "join a room before you chat".into()));
        };
        if !member.chat.take(now) {
            let (burst, seconds) = (self.config.chat_burst_messages, self.config.chat_refill_s);
            let text = format!("at most {burst} messages in {seconds} s; wait a moment");
            return Err((RefuseCode::ChatTooFast, text));
        }
        let text = chat::clean_message(&self.config, text)?;
        let name = member.name.clone();
        if to.is_some_and(|to| !self.members.contains_key(&to)) {
            return Err((RefuseCode::NoSuchPlayer, "that member is not in this room".into()));
        }
        self.chat_id += 1;
        let players = match to {
            None => self.everyone(),
            Some(to) if to == from => Arc::new([from]),
            Some(to) => Arc::new([from, to]),
        };
        let message = ChatMessage { request, id: self.chat_id, time_ms, from, name, to, text };
        self.outgoing.push_back(FromRoom::ChatAll { players, chat: ServerChat::Message(message) });
        Ok(())
    }

    fn notice(&mut self, time_ms: u64, text: &str) {
        self.chat_id += 1;
        let chat = ServerChat::Notice { id: self.chat_id, time_ms, text: text.to_owned() };
        let players = self.everyone();
        self.outgoing.push_back(FromRoom::ChatAll { players, chat });
    }

    pub(super) fn tell_everyone(&mut self, frame: ServerFrame) {
        let players = self.everyone();
        if !players.is_empty() {
            self.outgoing.push_back(FromRoom::ControlAll { players, frame });
        }
    }

    /// The numbers of all members.
    pub(super) fn everyone(&mut self) -> Arc<[PlayerId]> {
        let members = &self.members;
        Arc::clone(self.everyone.get_or_insert_with(|| members.keys().copied().collect()))
    }

    pub(super) fn refuse(
        &mut self,
        player: PlayerId,
        request: RequestId,
        (code, text): ChatRefusal,
    ) {
        self.tell(player, ServerFrame::Refused { request, code, text });
    }

    pub(super) fn tell(&mut self, player: PlayerId, frame: ServerFrame) {
        self.outgoing.push_back(FromRoom::Control { player, frame });
    }
}

/// What an account has saved. Refused if this build cannot read it.
fn read_saved<S: Simulation>(
    player: PlayerId,
    profile: Option<&JoinProfile>,
) -> Result<Option<S::Profile>, ChatRefusal> {
    let Some(saved) = profile.and_then(|profile| profile.saved.as_ref()) else { return Ok(None) };
    match read_profile::<S>(saved) {
        Ok(profile) => Ok(Some(profile)),
        Err(error) => {
            tracing::error!(player = player.0, "a profile cannot be read: {error}");
            let text = "your saved profile cannot be read by this version of the game; try again \
                        later"
                .to_owned();
            Err((RefuseCode::Busy, text))
        }
    }
}

/// The game's reason for the end of a stay.
fn reason_of(code: CloseCode) -> LeaveReason {
    match code {
        CloseCode::Normal | CloseCode::AccountTaken => LeaveReason::Left,
        CloseCode::Kicked => LeaveReason::Removed,
        _ => LeaveReason::Lost,
    }
}
