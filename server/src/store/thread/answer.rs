//! The answers to requests.

use tickwire_shared::SaveOutcome;

use super::StoreThread;
use crate::room::JoinProfile;
use crate::store::database::ChatPage;
use crate::store::scores::ScorePage;
use crate::store::{LoadProfile, NewMessage, StoreEvent, StoreRequest, TopicAnswer, TopicWrite};
use crate::topics::{NewStoredMessage, TopicChange};

/// What the store did.
pub(super) enum Found {
    Saved,
    Page(ChatPage),
    Outcome(SaveOutcome),
    Sanction(bool),
    Profile(JoinProfile),
    Scores(ScorePage),
}

impl StoreThread {
    /// Answers a request; `None` if the store does not do it.
    pub(super) fn answer(&self, request: StoreRequest, found: Option<Found>) {
        match request {
            StoreRequest::Keep(NewMessage { message, .. }) => {
                let (sender, request, id) = (message.from, message.request, message.id);
                let is_saved = found.is_some();
                match is_saved {
                    true => self.state.count_kept(1),
                    false => self.state.count_not_kept(1),
                }
                self.send(StoreEvent::Kept { sender, request, id, is_saved });
            }
            StoreRequest::Topic(write) => self.answer_topic(*write, found.is_some()),
            StoreRequest::Page(wanted) => {
                self.state.count_look_up();
                let page = match found {
                    Some(Found::Page(page)) => Some(page),
                    _ => None,
                };
                self.send(StoreEvent::Page(wanted, page));
            }
            StoreRequest::Save(save) => {
                let outcome = outcome_of(found);
                self.state.profiles.count(outcome);
                let (save, room) = (save.id(), save.room);
                self.send(StoreEvent::Profile { room, save, outcome });
            }
            StoreRequest::Score(save) => {
                let outcome = outcome_of(found);
                self.state.scores.count(outcome);
                let (score, room) = (save.id(), save.room);
                self.send(StoreEvent::Score { room, score, outcome });
            }
            StoreRequest::FindScores(wanted) => {
                self.state.count_score_look();
                let page = match found {
                    Some(Found::Scores(page)) => Some(page),
                    _ => None,
                };
                // Whoever asked may have gone.
                let _ = wanted.answer.send(page);
            }
            StoreRequest::Sanction(set) => {
                let fits = match found {
                    Some(Found::Sanction(fits)) => Some(fits),
                    _ => None,
                };
                let _ = set.answer.send(fits);
            }
            // The server may have ended meanwhile.
            StoreRequest::Webhook(request) => drop(request.answer.send(found.is_some())),
            StoreRequest::Load(LoadProfile { answer, .. }) => {
                self.state.count_load();
                let profile = match found {
                    Some(Found::Profile(profile)) => Some(profile),
                    _ => None,
                };
                // The join may have waited for too long.
                let _ = answer.send(profile);
            }
        }
    }
}

impl StoreThread {
    /// Tells whoever published a message of a topic what became of it.
    fn answer_topic(&self, TopicWrite { change, answer, .. }: TopicWrite, is_saved: bool) {
        let TopicChange::Keep(NewStoredMessage { sequence, .. }) = change else { return };
        let outcome = if is_saved { SaveOutcome::Saved } else { SaveOutcome::Failed };
        self.state.topics.count(outcome);
        let saved = Some(sequence).filter(|_| is_saved);
        match answer {
            None => {}
            Some(TopicAnswer::Session { player, request }) => {
                self.send(StoreEvent::Topic { player, request, saved });
            }
            // Whoever waited may have gone.
            Some(TopicAnswer::Waiting(answer)) => drop(answer.send(saved)),
        }
    }
}

/// What became of a save.
fn outcome_of(found: Option<Found>) -> SaveOutcome {
    match found {
        Some(Found::Outcome(outcome)) => outcome,
        _ => SaveOutcome::Failed,
    }
}
