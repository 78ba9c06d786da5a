//! Bots: players of the server's own with a name, a number and inputs, but no connection and no
//! snapshots. They leave their seats to people.

use tickwire_shared::control::{CloseCode, Member, ServerFrame};
use tickwire_shared::{LeaveReason, NewPlayer, PlayerId, RoomPolicy, Simulation};

use super::text::NameKey;
use super::{Room, chat, options};
use crate::config::RoomConfig;

/// The bots of one room, in the order in which they join.
#[derive(Debug, Default)]
pub(super) struct Bots {
    bots: Vec<Bot>,
    /// Bots join until the room has this many players, people included.
    players_wanted: usize,
    replace_lost: bool,
}

/// A bot, playing or not.
#[derive(Debug)]
struct Bot {
    player: PlayerId,
    /// The game's name for it, if that is a valid one.
    given: Option<(String, NameKey)>,
    /// Its name while it plays.
    playing: Option<(String, NameKey)>,
}

impl Bots {
    /// The policy's bots, numbered from `first` on. None plays yet.
    pub(super) fn new(config: &RoomConfig, policy: &RoomPolicy, first: PlayerId) -> Self {
        let count = options::bots(config, policy);
        let names = policy.bot_names.iter().map(|name| chat::clean_name(config, name).ok());
        let names = names.chain(std::iter::repeat(None));
        let numbers = (0..count).map(|number| PlayerId(first.0.wrapping_add(number)));
        Bots {
            bots: numbers
                .zip(names)
                .map(|(player, given)| Bot { player, given, playing: None })
                .collect(),
            players_wanted: policy.bots.map_or(0, |bots| bots.min(count) as usize),
            replace_lost: policy.bots_replace_lost,
        }
    }

    /// Starts the bot of this number by the name that it had. `false` if the policy has no such bot.
    pub(super) fn go_on(&mut self, player: PlayerId, name: &str) -> bool {
        let Some(bot) = self.bots.iter_mut().find(|bot| bot.player == player) else {
            return false;
        };
        bot.playing = Some((name.to_owned(), NameKey::new(name)));
        true
    }

    /// The numbers of the bots that play.
    pub(super) fn playing(&self) -> impl Iterator<Item = PlayerId> + '_ {
        self.bots.iter().filter(|bot| bot.playing.is_some()).map(|bot| bot.player)
    }

    /// The number of bots that play.
    pub(super) fn count(&self) -> usize {
        self.playing().count()
    }

    /// True if this bot plays.
    pub(super) fn is_playing(&self, player: PlayerId) -> bool {
        self.playing().any(|bot| bot == player)
    }

    /// The bots that play, as entries of the list of members.
    pub(super) fn infos(&self) -> impl Iterator<Item = Member> + '_ {
        self.bots.iter().filter_map(|bot| {
            let (name, _) = bot.playing.as_ref()?;
            Some(Member { player: bot.player, name: name.clone(), spectator: false, bot: true })
        })
    }

    /// The name of a playing bot that is like `key`.
    pub(super) fn named_like(&self, key: &NameKey) -> Option<&str> {
        let playing = self.bots.iter().filter_map(|bot| bot.playing.as_ref());
        playing.filter(|(_, own)| own.is_like(key)).map(|(name, _)| name.as_str()).next()
    }

    /// Starts the first bot that does not play yet, with a name that is free. `people` are the
    /// names of the members. `None` if all play.
    fn come<'a>(
        &mut self,
        people: impl Iterator<Item = &'a NameKey> + Clone,
    ) -> Option<(PlayerId, &str)> {
        let at = self.bots.iter().position(|bot| bot.playing.is_none())?;
        let is_free = |(_, key): &(String, NameKey)| {
            self.named_like(key).is_none() && people.clone().all(|other| !other.is_like(key))
        };
        let given = self.bots[at].given.clone();
        let numbered = (1..).map(|number| {
            let name = format!("Bot {number}");
            let key = NameKey::new(&name);
            (name, key)
        });
        // There are more numbers than names.
        let name = given.into_iter().chain(numbered).find(is_free)?;
        let bot = &mut self.bots[at];
        let (name, _) = bot.playing.insert(name);
        Some((bot.player, name.as_str()))
    }

    /// Stops the bot that makes way for a person of this name: one of a like name, else the last
    /// one. Returns its number.
    fn go(&mut self, key: &NameKey) -> Option<PlayerId> {
        let is_like = |bot: &Bot| bot.playing.as_ref().is_some_and(|(_, own)| own.is_like(key));
        let like = self.bots.iter().position(is_like);
        let at = like.or_else(|| self.bots.iter().rposition(|bot| bot.playing.is_some()))?;
        self.bots[at].playing = None;
        Some(self.bots[at].player)
    }
}

impl<S: Simulation> Room<S> {
    /// Inserts the bots' inputs among those of the members, in the order of numbers.
    pub(super) fn take_bot_inputs(&mut self) {
        let Some(first) = self.bots.playing().next() else { return };
        let at = self.inputs.partition_point(|(player, _)| *player < first);
        let (simulation, tick) = (&*self.simulation, self.tick);
        let held = self.bots.playing().map(|bot| (bot, simulation.bot_input(bot, tick)));
        self.inputs.splice(at..at, held);
        self.view_delays.splice(at..at, std::iter::repeat_n(0.0, self.bots.count()));
    }

    /// Lets bots join until the policy's number of players is reached. Returns those that joined.
    pub(super) fn fill_with_bots(&mut self) -> Vec<Member> {
        let people = self.members.values().filter(|member| !member.is_spectator()).count();
        let wanted = self.bots.players_wanted.saturating_sub(people);
        let missing = wanted.saturating_sub(self.bots.count());
        std::iter::from_fn(|| self.bot_comes(None)).take(missing).collect()
    }

    /// Removes a bot, if one plays, to make way for the person `player`.
    pub(super) fn bot_makes_way(&mut self, player: PlayerId, key: &NameKey) {
        if let Some(bot) = self.bots.go(key) {
            self.simulation.leave(bot, LeaveReason::Replaced { by: player });
            self.tell_everyone(ServerFrame::MemberLeft { player: bot, code: CloseCode::Normal });
        }
    }

    /// Tells the game that `player` left, and lets the bots join that the policy wants in its
    /// place.
    pub(super) fn seat_is_free(&mut self, player: PlayerId, reason: LeaveReason) {
        let is_lost = reason == LeaveReason::Lost;
        // An empty room needs no bots.
        if self.members.is_empty() {
            return self.simulation.leave(player, reason);
        }
        let follower = (is_lost && self.bots.replace_lost).then(|| self.bot_comes(Some(player)));
        let came = follower.flatten().map(|bot| vec![bot]).unwrap_or_else(|| {
            self.simulation.leave(player, reason);
            self.fill_with_bots()
        });
        came.into_iter().for_each(|bot| self.tell_everyone(ServerFrame::MemberJoined(bot)));
    }

    /// Lets the next bot join, in place of `lost`, which leaves. `None` if all bots play.
    fn bot_comes(&mut self, lost: Option<PlayerId>) -> Option<Member> {
        let people = self.members.values().map(|member| &member.name_key);
        let (bot, name) = self.bots.come(people)?;
        if let Some(player) = lost {
            self.simulation.leave(player, LeaveReason::Replaced { by: bot });
        }
        let new = NewPlayer { is_bot: true, ..NewPlayer::named(bot, name) };
        self.simulation.join(&new, None, "", None);
        Some(Member { player: bot, name: name.to_owned(), spectator: false, bot: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bots(names: &[&str], count: u32) -> Bots {
        let bot_names = names.iter().map(|name| (*name).to_owned()).collect();
        let policy = RoomPolicy { bots: Some(count), bot_names, ..RoomPolicy::default() };
        Bots::new(&RoomConfig::default(), &policy, PlayerId(10))
    }

    #[test]
    fn a_bot_has_a_name_of_its_own() {
        let mut bots = bots(&["Vega", "vega", "\u{200b}", "Ann"], 6);
        let people = [NameKey::new("Ann"), NameKey::new("b0t 2")];
        let mut come = || bots.come(people.iter()).map(|(bot, name)| (bot.0, name.to_owned()));
        let names: Vec<_> = std::iter::from_fn(&mut come).collect();
        let names: Vec<(u32, &str)> = names.iter().map(|(bot, name)| (*bot, &**name)).collect();
        let wanted = ["Vega", "Bot 1", "Bot 3", "Bot 4", "Bot 5", "Bot 6"];
        assert_eq!(names, (10..).zip(wanted).collect::<Vec<_>>());
    }

    #[test]
    fn the_one_of_a_persons_name_makes_way_or_else_the_last() {
        let mut bots = bots(&["Vega", "Mira", "Nova"], 3);
        while bots.come([].iter()).is_some() {}
        assert_eq!(bots.named_like(&NameKey::new("MIRA")), Some("Mira"));
        assert_eq!(bots.go(&NameKey::new("mira")), Some(PlayerId(11)));
        assert_eq!(bots.go(&NameKey::new("mira")), Some(PlayerId(12)));
        assert_eq!(bots.playing().collect::<Vec<_>>(), [PlayerId(10)]);
        assert_eq!(bots.go(&NameKey::new("x")), Some(PlayerId(10)));
        assert_eq!(bots.go(&NameKey::new("x")), None);
        let mira = [NameKey::new("Mira")];
        let names: Vec<String> =
            std::iter::from_fn(|| bots.come(mira.iter()).map(|(_, name)| name.to_owned()))
                .collect();
        assert_eq!(names, ["Vega", "Bot 1", "Nova"], "who went comes back, by another name");
    }

    #[test]
    fn bots_are_never_more_than_seats_and_the_settings() {
        let config = RoomConfig { players_max: 8, bots_max: 5, ..RoomConfig::default() };
        let count = |policy: RoomPolicy| Bots::new(&config, &policy, PlayerId(1)).bots.len();
        let bots = |bots| RoomPolicy { bots: Some(bots), ..RoomPolicy::default() };
        assert_eq!(count(RoomPolicy::default()), 0);
        assert_eq!(count(bots(3)), 3);
        assert_eq!(count(bots(u32::MAX)), 5);
        assert_eq!(count(RoomPolicy { seats: Some(2), ..bots(3) }), 2);
        let lost = RoomPolicy { bots_replace_lost: true, ..RoomPolicy::default() };
        assert_eq!(count(RoomPolicy { seats: Some(4), ..lost }), 4);
    }
}
