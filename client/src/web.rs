//! The session core for a browser, inside the npm package: bytes in, bytes out. The TypeScript
//! around it owns the transport.

mod js;
mod objects;
mod resume;
mod step;
mod topics;

use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{CloseCode, ContentHash, RoomChoice, ServerFrame};
use tickwire_shared::predict::Predict;
use tickwire_shared::replica::Event;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use wasm_bindgen::prelude::*;

use crate::session::component::{kind_lanes, push_components};
use crate::session::prediction::NumberRules;
use crate::session::{Mode, Session, SessionError, SessionEvent};
use js::{Array, Error, Float64Array, Function, Uint8Array};
use objects::{
    chat_object, connection_object, joined_object, member_object, object, player_or_none, query_of,
    refused_object, room_object, schema_object, set, typed,
};
use step::ScriptStep;
use topics::{answer_object, topic_object};

/// One session. Times are milliseconds of any steady clock, such as `performance.now()`.
#[wasm_bindgen]
pub struct Core {
    session: Session,
    view: Vec<f64>,
    /// The schema that the prediction rules were built for.
    built_for: Option<fn() -> Schema>,
}

impl Core {
    /// A session that says hello as `client` and predicts with the rules of `S`. Call it from an
    /// exported function of the game's own module, and pass that to the TypeScript client.
    pub fn predicting<S: Predict>(client: &str) -> Core {
        let mut core = Core::new(client);
        core.session.predict::<S>();
        core.built_for = Some(schema_of::<S>);
        core
    }
}

#[wasm_bindgen]
impl Core {
    /// A session that says hello as `client`.
    #[wasm_bindgen(constructor)]
    pub fn new(client: &str) -> Core {
        Core { session: Session::resumable(client, None), view: Vec::new(), built_for: None }
    }

    /// Identifies the player by a join token. Call it before the first `takeControl`.
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&mut self, token: &str) {
        self.session.set_token(token.into());
    }

    /// Takes received bytes of the control stream; throws an error with the close code's number
    /// (`code`) and a text.
    #[wasm_bindgen(js_name = onControl)]
    pub fn on_control(&mut self, bytes: &[u8], now_ms: f64) -> Result<(), JsValue> {
        self.session.handle_control(at(now_ms), bytes).map_err(|error| self.fail(&error))
    }

    /// Takes bytes of the chat stream; throws as `onControl`.
    #[wasm_bindgen(js_name = onChat)]
    pub fn on_chat(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.session.handle_chat(bytes).map_err(|error| self.fail(&error))
    }

    /// Sets whether datagrams go over a lossless path, such as a WebSocket.
    #[wasm_bindgen(js_name = setLossless)]
    pub fn set_lossless(&mut self, is_lossless: bool) {
        self.session.set_lossless(is_lossless);
    }

    /// Takes a datagram.
    #[wasm_bindgen(js_name = onDatagram)]
    pub fn on_datagram(&mut self, bytes: &[u8], now_ms: f64) {
        self.session.handle_datagram(at(now_ms), bytes);
    }

    /// Takes bytes of the static stream; throws as `onControl`.
    #[wasm_bindgen(js_name = onStatic)]
    pub fn on_static(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.session.handle_static(bytes).map_err(|error| self.fail(&error))
    }

    /// Reports that the transport ended with an application code and text.
    #[wasm_bindgen(js_name = onClosed)]
    pub fn on_closed(&mut self, code: u32, text: &str) {
        self.session.handle_closed(CloseCode::from_number(u64::from(code)), text);
    }

    /// Bytes for the control stream; may be empty.
    #[wasm_bindgen(js_name = takeControl)]
    pub fn take_control(&mut self) -> Vec<u8> {
        self.session.take_control()
    }

    /// Bytes for the chat stream; may be empty.
    #[wasm_bindgen(js_name = takeChat)]
    pub fn take_chat(&mut self) -> Vec<u8> {
        self.session.take_chat()
    }

    /// Bytes for the static stream, maybe none; the first ones open it.
    #[wasm_bindgen(js_name = takeStatic)]
    pub fn take_static(&mut self) -> Vec<u8> {
        self.session.take_static()
    }

    /// From now on `pollStaticLoaded` has what is loaded.
    #[wasm_bindgen(js_name = useStaticCache)]
    pub fn use_static_cache(&mut self) {
        self.session.use_static_cache();
    }

    /// The SHA-256 of static data that the room has and this client lacks.
    #[wasm_bindgen(js_name = pollStaticWanted)]
    pub fn poll_static_wanted(&mut self) -> Option<Uint8Array> {
        self.session.poll_static_wanted().map(|hash| Uint8Array::from(&hash.0[..]))
    }

    /// The bytes of this hash out of a cache, or undefined to ask the server for them.
    #[wasm_bindgen(js_name = giveStatic)]
    pub fn give_static(&mut self, hash: &[u8], found: Option<Vec<u8>>) {
        if let Ok(hash) = hash.try_into() {
            self.session.give_static(ContentHash(hash), found.as_deref());
        }
    }

    /// Bytes that were loaded.
    #[wasm_bindgen(js_name = pollStaticLoaded)]
    pub fn poll_static_loaded(&mut self) -> Option<Uint8Array> {
        self.session.poll_static_loaded().map(|(_, bytes)| Uint8Array::from(bytes.as_slice()))
    }

    /// The room's static data under a key, a copy; undefined until all of it is here.
    #[wasm_bindgen(js_name = staticData)]
    pub fn static_data(&self, key: u8) -> Option<Uint8Array> {
        self.session.static_data(key).map(|(bytes, _)| Uint8Array::from(bytes))
    }

    /// The next datagram to send.
    #[wasm_bindgen(js_name = takeDatagram)]
    pub fn take_datagram(&mut self) -> Option<Uint8Array> {
        self.session.poll_datagram().map(|bytes| Uint8Array::from(bytes.as_slice()))
    }

    /// Asks for a seat in a room, or in any. Returns the number that the answer names, as do all
    /// requests below. `options` are the game's join options as JSON, empty for the default.
    pub fn join(&mut self, room: Option<String>, name: &str, options: &str, password: &str) -> u32 {
        let room = room.map_or(RoomChoice::Quick, RoomChoice::Named);
        self.session.join_with(room, name, options, password).0
    }

    /// Asks for a seat in a new room. Both options are JSON, empty for the default.
    pub fn create(&mut self, room: &str, room_options: &str, name: &str, options: &str) -> u32 {
        let room = RoomChoice::Create { name: room.to_owned(), options: room_options.into() };
        self.session.join_with(room, name, options, "").0
    }

    /// Asks to watch a room.
    pub fn spectate(&mut self, room: &str, name: &str, password: &str) -> u32 {
        self.session.spectate_with(room, name, password).0
    }

    /// Gives the seat back.
    pub fn leave(&mut self) -> u32 {
        self.session.leave().0
    }

    /// Asks for the list of rooms.
    #[wasm_bindgen(js_name = listRooms)]
    pub fn list_rooms(&mut self, query: &JsValue) -> u32 {
        self.session.list_rooms(query_of(query)).0
    }

    /// Asks for the list of rooms and for its later changes.
    #[wasm_bindgen(js_name = subscribeRooms)]
    pub fn subscribe_rooms(&mut self, query: &JsValue) -> u32 {
        self.session.subscribe_rooms(query_of(query)).0
    }

    /// Stops following the list of rooms.
    #[wasm_bindgen(js_name = unsubscribeRooms)]
    pub fn unsubscribe_rooms(&mut self) -> u32 {
        self.session.unsubscribe_rooms().0
    }

    /// The followed list of rooms, in its order.
    pub fn rooms(&self) -> Array {
        self.session.rooms().iter().map(room_object).collect()
    }

    /// Sends a chat message to the room.
    pub fn say(&mut self, text: &str) -> u32 {
        self.session.say(text).0
    }

    /// Sends a chat message to one member.
    pub fn tell(&mut self, player: u32, text: &str) -> u32 {
        self.session.tell_player(PlayerId(player), text).0
    }

    /// Asks for earlier messages to the room: at most `count` with numbers below `before`, or the newest.
    #[wasm_bindgen(js_name = chatHistory)]
    pub fn chat_history(&mut self, before: Option<f64>, count: u16) -> u32 {
        self.session.chat_history(before.map(|before| before as u64), count).0
    }

    /// Removes a member; only the room's host may.
    pub fn kick(&mut self, player: u32, reason: &str) -> u32 {
        self.session.kick(PlayerId(player), reason).0
    }

    /// Says goodbye.
    pub fn goodbye(&mut self) {
        self.session.goodbye();
    }

    /// Sets the mode of entities of the kind of this name: "interpolate", "extrapolate" or
    /// "forward-simulate", the last two for at most `ticks_max` ticks from their newest state.
    #[wasm_bindgen(js_name = showBy)]
    pub fn show_by(&mut self, kind: &str, mode: &str, ticks_max: u32) {
        let mode = match mode {
            "extrapolate" => Mode::Extrapolate { ticks_max },
            "forward-simulate" => Mode::ForwardSimulate { ticks_max },
            _ => Mode::Interpolate,
        };
        self.session.show_by(kind, mode);
    }

    /// Sets the player's input: one number for each component, in the schema's order.
    #[wasm_bindgen(js_name = setInput)]
    pub fn set_input(&mut self, values: &[f64]) {
        let Some(welcome) = self.session.welcome() else { return };
        let lanes = kind_lanes(&welcome.schema.input, values);
        self.session.hold(&lanes);
    }

    /// Sends a command to the game: its kind's number in the server's schema, and one number for
    /// each component, as for `setInput`.
    pub fn command(&mut self, kind: u8, values: &[f64]) -> u32 {
        let known = self.session.welcome().and_then(|welcome| {
            welcome.schema.commands.get(usize::from(kind)).map(|kind| kind_lanes(kind, values))
        });
        self.session.command(known.is_some().then_some(kind), &known.unwrap_or_default()).0
    }

    /// Predicts what the player steers with JavaScript functions, in rooms joined from now on.
    ///
    /// `adopt(kind, values, before)` returns the state of an entity with these components, or
    /// undefined if its kind is not stepped; `before` is the state that was predicted for the same
    /// tick, if any. `step(kind, state, input, values, nearby, made)` returns a new state, one tick later,
    /// and fills in its components; undefined if it failed. Neither may throw.
    ///
    /// `nearby` is flat, and empty unless `looks_around`: for each other entity how many numbers its record has, its id, its
    /// kind, its components. To `made` the step appends the same of what it makes, with 0 for an entity or 1 for an event
    /// in place of the id.
    #[wasm_bindgen(js_name = predictBy)]
    pub fn predict_by(&mut self, adopt: Function, step: Function, looks_around: bool) {
        self.session.predict_by(Box::new(move |schema| {
            let step = ScriptStep::new(adopt.clone(), step.clone(), looks_around);
            Some(Box::new(NumberRules::new(schema, step)))
        }));
    }

    /// Stops predicting.
    #[wasm_bindgen(js_name = predictNothing)]
    pub fn predict_nothing(&mut self) {
        self.session.predict_nothing();
    }

    /// After the welcome: how this module's rules differ from the server's, which rules out
    /// prediction; undefined if they are the same, or there are none.
    #[wasm_bindgen(js_name = rulesDiffer)]
    pub fn rules_differ(&self) -> Option<String> {
        let (own, welcome) = (self.built_for?(), self.session.welcome()?);
        own.difference(&welcome.schema)
    }

    /// Advances the clock and samples the input for each due tick.
    pub fn update(&mut self, now_ms: f64) {
        self.session.update(at(now_ms));
    }

    /// The next event as a plain object with a `type`, or undefined.
    #[wasm_bindgen(js_name = pollEvent)]
    pub fn poll_event(&mut self) -> JsValue {
        let Some(event) = self.session.poll_event() else { return JsValue::UNDEFINED };
        match &event {
            SessionEvent::Control(frame) => self.control_object(frame),
            SessionEvent::Chat(chat) => chat_object(chat),
            SessionEvent::StaticData { key, received, total } => {
                let fields = [
                    ("key", (*key).into()),
                    ("received", (*received as f64).into()),
                    ("total", (*total as f64).into()),
                ];
                typed("staticData", &fields)
            }
            SessionEvent::StaticChanged { key, offset, length } => {
                let all = self.session.static_data(*key).map_or(&[][..], |(bytes, _)| bytes);
                let part = all.get(*offset..offset + length).unwrap_or(&[]);
                let fields = [
                    ("key", (*key).into()),
                    ("offset", (*offset as f64).into()),
                    ("bytes", Uint8Array::from(part).into()),
                ];
                typed("staticChanged", &fields)
            }
            SessionEvent::Over { code, text } => {
                typed("over", &[("code", code.number().into()), ("text", text.into())])
            }
            SessionEvent::Topic(event) => topic_object(event),
            SessionEvent::Connection(state) => connection_object(*state),
            SessionEvent::Game(event) => self.game_object("event", event, false),
            SessionEvent::Predicted(event) => self.game_object("event", event, true),
            SessionEvent::Cancelled(event) => self.game_object("cancelled", event, true),
        }
    }

    /// The server's schema, once it has said welcome.
    pub fn schema(&self) -> JsValue {
        match self.session.welcome() {
            Some(welcome) => schema_object(&welcome.schema),
            None => JsValue::UNDEFINED,
        }
    }

    /// Every visible entity as of the last update, in one flat array. For each: the length of its
    /// record (this number included), id, kind, 1 if own, presence from 0 to 1, then its
    /// components.
    pub fn view(&mut self) -> Float64Array {
        self.view.clear();
        if let (Some(room), Some(welcome)) = (self.session.room(), self.session.welcome()) {
            let (view, kinds) = (&mut self.view, &welcome.schema.entities);
            room.for_each_shown(|shown| {
                let start = view.len();
                let mine = f64::from(u8::from(shown.mine));
                view.extend([
                    0.0,
                    f64::from(shown.id.0),
                    f64::from(shown.kind),
                    mine,
                    shown.presence,
                ]);
                push_components(&kinds[usize::from(shown.kind)], shown.lanes, view);
                view[start] = (view.len() - start) as f64;
            });
        }
        Float64Array::from(self.view.as_slice())
    }

    /// The shown tick of interpolated entities, with a fraction.
    #[wasm_bindgen(js_name = shownTick)]
    pub fn shown_tick(&self) -> Option<f64> {
        let (tick, part) = self.session.room()?.shown_tick()?;
        Some(f64::from(tick.0) + part)
    }

    /// Statistics of the network, as plain numbers.
    pub fn stats(&self, now_ms: f64) -> JsValue {
        let stats = self.session.stats(at(now_ms));
        object(&[
            ("rttMs", stats.rtt_ms.into()),
            ("jitterMs", stats.jitter_ms.into()),
            ("lossFraction", stats.loss_fraction().into()),
            ("silenceMs", stats.silence_ms.into()),
            ("snapshotAgeMs", stats.snapshot_age_ms.into()),
            ("inputMarginMs", stats.input_margin_ms.into()),
            ("interpolationMs", stats.interpolation_ms.into()),
            ("predicting", self.is_predicting().into()),
            ("corrections", (stats.corrections as f64).into()),
            ("predictionError", stats.prediction_error.into()),
            ("tick", stats.tick.into()),
            ("snapshots", (stats.snapshots as f64).into()),
            ("snapshotsLate", (stats.snapshots_late as f64).into()),
            ("snapshotsUndecodable", (stats.snapshots_undecodable as f64).into()),
            ("snapshotsMalformed", (stats.snapshots_malformed as f64).into()),
            ("bytesIn", (stats.bytes_in as f64).into()),
            ("bytesOut", (stats.bytes_out as f64).into()),
        ])
    }
}

impl Core {
    fn is_predicting(&self) -> bool {
        let prediction = self.session.room().and_then(|room| room.prediction());
        prediction.is_some_and(|prediction| prediction.entity().is_some())
    }

    /// The error to throw when the session cannot go on, with the code to close the transport with.
    fn fail(&self, error: &SessionError) -> JsValue {
        let thrown = Error::new(&error.to_string());
        set(&thrown, "code", &error.close_code().number().into());
        thrown.into()
    }

    fn game_object(&self, name: &str, event: &Event, predicted: bool) -> JsValue {
        let kinds = self.session.welcome().map(|welcome| &welcome.schema.events);
        let Some(kind) = kinds.and_then(|kinds| kinds.get(usize::from(event.kind))) else {
            return JsValue::UNDEFINED;
        };
        let lanes: Vec<f64> = event.lanes.iter().copied().map(f64::from).collect();
        let mut values: Vec<f64> = Vec::new();
        push_components(kind, &lanes, &mut values);
        let values = Float64Array::from(values.as_slice()).into();
        let (tick, kind) = (event.tick.0.into(), event.kind.into());
        let told =
            [("tick", tick), ("kind", kind), ("values", values), ("predicted", predicted.into())];
        typed(name, &told)
    }

    fn control_object(&self, frame: &ServerFrame) -> JsValue {
        match frame {
            ServerFrame::Welcome { server, player, .. } => {
                typed("welcome", &[("server", server.into()), ("player", player.0.into())])
            }
            ServerFrame::Joined { request, room, tick, spectator, host, members, .. } => {
                let joined = joined_object(room, *tick, *spectator, *host, members);
                set(&joined, "request", &request.0.into());
                joined
            }
            // It answers no request.
            ServerFrame::Rejoined { room, tick, spectator, host, members, .. } => {
                joined_object(room, *tick, *spectator, *host, members)
            }
            ServerFrame::Left { request } => typed("left", &[("request", request.0.into())]),
            ServerFrame::Done { request } => typed("done", &[("request", request.0.into())]),
            ServerFrame::Rooms { request, rooms, found } => {
                let rooms = rooms.iter().map(room_object).collect::<Array>();
                let fields = [
                    ("request", request.0.into()),
                    ("rooms", rooms.into()),
                    ("found", (*found).into()),
                ];
                typed("rooms", &fields)
            }
            ServerFrame::RoomsChanged { .. } => {
                typed("roomsChanged", &[("rooms", self.rooms().into())])
            }
            ServerFrame::Refused { request, code, text } => {
                refused_object("refused", *request, *code, text)
            }
            ServerFrame::Removed { text } => typed("removed", &[("text", text.into())]),
            ServerFrame::MemberJoined(member) => {
                typed("memberJoined", &[("member", member_object(member))])
            }
            ServerFrame::MemberLeft { player, code } => {
                let fields = [("player", player.0.into()), ("code", code.number().into())];
                typed("memberLeft", &fields)
            }
            ServerFrame::Host(host) => typed("host", &[("player", player_or_none(*host))]),
            ServerFrame::Notice(text) => typed("notice", &[("text", text.into())]),
            // The session handles them and does not report them, or this client does not ask for them.
            ServerFrame::Keyframe(_)
            | ServerFrame::Resync { .. }
            | ServerFrame::Resumed { .. }
            | ServerFrame::Restarted { .. }
            | ServerFrame::StaticData { .. }
            | ServerFrame::StaticChanged { .. } => JsValue::UNDEFINED,
            ServerFrame::Published { .. } | ServerFrame::TopicsEnded { .. } => answer_object(frame),
            ServerFrame::MemberAway { player } => {
                typed("memberAway", &[("player", player.0.into())])
            }
            ServerFrame::MemberBack { player } => {
                typed("memberBack", &[("player", player.0.into())])
            }
            ServerFrame::Goodbye { code, text } => {
                typed("goodbye", &[("code", code.number().into()), ("text", text.into())])
            }
        }
    }
}

fn at(now_ms: f64) -> Duration {
    Duration::from_micros((now_ms.max(0.0) * 1000.0) as u64)
}
