//! What a step tells and asks for.

use glam::Vec3;

use super::{EntityId, Groups, PlayerId, Position, ScoreBoard, Simulation, StaticData};

/// Where a step puts what happened once.
///
/// Each client is told of events once and in the order in which they were told here. An event comes with the
/// snapshot of its tick or a later one, and a client takes in a snapshot as a whole: its entities, then its events.
/// Where not everything fits, an entity that changed or appeared in the same tick may come in a later one, and an event
/// before the entity that it names: hold it back by [`OutboxEvent::after`].
///
/// A snapshot tells at most 64 events. Of those that wait for a client beyond `room.events_queued_max` of the server's
/// settings the oldest are dropped, counted and logged.
pub struct Outbox<G: Simulation> {
    events: Vec<OutboxEvent<G::Event>>,
    unreliable: Vec<OutboxEvent<G::Event>>,
    static_data: StaticData,
    saves: Vec<(PlayerId, G::Profile)>,
    scores: Vec<(PlayerId, ScoreBoard, i64)>,
}

/// An event of an [`Outbox`].
#[derive(Debug)]
pub struct OutboxEvent<E> {
    /// Who is told.
    pub audience: Audience,
    /// Of those, who is told: viewers in one of these groups; `None` for all.
    pub groups: Option<Groups>,
    /// What happened.
    pub event: E,
    /// The entity that a client has before it hears of it.
    pub after: Option<EntityId>,
}

impl<E> OutboxEvent<E> {
    /// Holds the event, and those told after it, back from each client that sees `entity` and does not have it yet:
    /// it comes with the snapshot that brings the entity, or later. One that does not see the entity is told at
    /// once, and nobody waits longer than 127 ticks.
    pub fn after(&mut self, entity: EntityId) -> &mut Self {
        self.after = Some(entity);
        self
    }

    /// Tells nobody who is in none of `groups` in the tick of the event.
    pub fn only_for(&mut self, groups: Groups) -> &mut Self {
        self.groups = Some(groups);
        self
    }
}

/// Who is told of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Audience {
    /// Everyone in the room.
    Room,
    /// One player.
    Player(PlayerId),
    /// Whoever's area holds this place.
    Place(Vec3),
}

impl<G: Simulation> std::fmt::Debug for Outbox<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({} events, {} unreliable)", self.events.len(), self.unreliable.len())
    }
}

impl<G: Simulation> Default for Outbox<G> {
    fn default() -> Self {
        Outbox {
            events: Vec::new(),
            unreliable: Vec::new(),
            static_data: StaticData::default(),
            saves: Vec::new(),
            scores: Vec::new(),
        }
    }
}

impl<G: Simulation> Outbox<G> {
    /// Sends an event to everyone in the room. Refine the result by the calls of [`OutboxEvent`].
    pub fn to_room(&mut self, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Room, event)
    }

    /// Sends an event to one player.
    pub fn to_player(&mut self, player: PlayerId, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Player(player), event)
    }

    /// Sends an event to everyone whose area holds `place`, a [`Vec2`](glam::Vec2) or a [`Vec3`].
    pub fn to_place(
        &mut self,
        place: impl Into<Position>,
        event: G::Event,
    ) -> &mut OutboxEvent<G::Event> {
        let Position(place) = place.into();
        self.send(Audience::Place(place), event)
    }

    /// Sends an event to everyone who is in one of `groups` in this tick.
    pub fn to_groups(&mut self, groups: Groups, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Room, event).only_for(groups)
    }

    /// Events that go into the snapshot of this tick and no other: `outbox.unreliable().to_place(at, spark)`. A client
    /// whose snapshot is lost or full never gets them. For what is of no use later, and for many events a tick: they
    /// wait for no acknowledgement.
    pub fn unreliable(&mut self) -> UnreliableOutbox<'_, G> {
        UnreliableOutbox { outbox: self, groups: None }
    }

    /// Where the step edits what [`Simulation::static_data`] began.
    pub fn static_data(&mut self) -> &mut StaticData {
        &mut self.static_data
    }

    /// Saves the profile of a player with an account, in place of the one before; of several in a step the last. Also in
    /// the step after [`Simulation::leave`] for the player that has left. [`Simulation::saved`] tells when the disk has it.
    /// Passed over for a guest, a bot, and without a store.
    ///
    /// Save where it matters, such as at the end of a round and at the leave: each save is a write to the disk, and those
    /// that find no place in the store's queue are not kept.
    pub fn save(&mut self, player: PlayerId, profile: G::Profile) {
        self.saves.push((player, profile));
    }

    /// Scores on one of the game's [boards](Simulation::SCORE_BOARDS), for a player with an account; several of one player and
    /// board in a step are one, by the board's rule. Also in the step after [`Simulation::leave`] for the player that has left.
    /// [`Simulation::scored`] tells when the disk has it. Passed over for a guest, a bot, a board that the game does not name,
    /// and without a store.
    ///
    /// Score at the end of a round or at the leave, and not in each tick: each score is a write to the disk, and those that find
    /// no place in the store's queue are not kept.
    ///
    /// ```ignore
    /// outbox.score(player, KILLS, 3);
    /// ```
    pub fn score(&mut self, player: PlayerId, board: ScoreBoard, score: i64) {
        self.scores.push((player, board, score));
    }

    /// Takes out all scores, in their order.
    pub fn drain_scores(&mut self) -> impl Iterator<Item = (PlayerId, ScoreBoard, i64)> + '_ {
        self.scores.drain(..)
    }

    /// Takes out all saves, in their order.
    pub fn drain_saves(&mut self) -> impl Iterator<Item = (PlayerId, G::Profile)> + '_ {
        self.saves.drain(..)
    }

    /// Takes out all reliable events, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = OutboxEvent<G::Event>> + '_ {
        self.events.drain(..)
    }

    /// Takes out the events of [`Outbox::unreliable`], in the order in which they were sent.
    pub fn drain_unreliable(&mut self) -> impl Iterator<Item = OutboxEvent<G::Event>> + '_ {
        self.unreliable.drain(..)
    }

    /// Moves the events and the edits of static data that `other` holds behind what is here. Its saves and scores stay.
    pub fn append(&mut self, other: &mut Outbox<G>) {
        self.events.append(&mut other.events);
        self.unreliable.append(&mut other.unreliable);
        self.static_data.append(&mut other.static_data);
    }

    fn send(&mut self, audience: Audience, event: G::Event) -> &mut OutboxEvent<G::Event> {
        let at = self.events.len();
        self.events.push(OutboxEvent { audience, groups: None, event, after: None });
        &mut self.events[at]
    }
}

/// An [`Outbox`] for events that are sent once and not repeated.
#[derive(Debug)]
pub struct UnreliableOutbox<'a, G: Simulation> {
    outbox: &'a mut Outbox<G>,
    groups: Option<Groups>,
}

impl<G: Simulation> UnreliableOutbox<'_, G> {
    /// To nobody who is in none of `groups` in this tick: `outbox.unreliable().only_for(team).to_place(at, spark)`.
    #[must_use]
    pub fn only_for(self, groups: Groups) -> Self {
        UnreliableOutbox { groups: Some(groups), ..self }
    }

    /// To everyone in the room.
    pub fn to_room(self, event: G::Event) {
        self.send(Audience::Room, event);
    }

    /// To one player.
    pub fn to_player(self, player: PlayerId, event: G::Event) {
        self.send(Audience::Player(player), event);
    }

    /// To everyone whose area holds `place`, a [`Vec2`](glam::Vec2) or a [`Vec3`].
    pub fn to_place(self, place: impl Into<Position>, event: G::Event) {
        let Position(place) = place.into();
        self.send(Audience::Place(place), event);
    }

    /// To everyone who is in one of `groups` in this tick.
    pub fn to_groups(self, groups: Groups, event: G::Event) {
        self.only_for(groups).to_room(event);
    }

    fn send(self, audience: Audience, event: G::Event) {
        let UnreliableOutbox { outbox, groups } = self;
        outbox.unreliable.push(OutboxEvent { audience, groups, event, after: None });
    }
}
