//! The chat's own program: reads what accounts ask for, and publishes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tickwire::NoGame;
use tickwire::control::{RefuseCode, TopicDelivery, TopicMessageKind, TopicStart};
use tickwire::server::identity::AuthRefusal;
use tickwire::server::{
    MergedCursor, PublishError, ReadTopicsOptions, TopicItem, TopicReader, TopicsHandle,
};

use crate::chat::{Chat, SignInRefusal};
use crate::messages::Publication;

/// Pause before a message is published again that the store's disk could not take.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
const ALL: TopicStart = TopicStart::Last(u32::MAX);
/// The topic of the place after the last request that was handled.
const CURSOR_TOPIC: &str = "program";

/// The chat and the server's topics. Clones are of the same one.
#[derive(Clone)]
pub(crate) struct Program {
    topics: TopicsHandle<NoGame>,
    chat: Arc<Mutex<Chat>>,
}

impl Program {
    /// Rebuilds the chat from the topics that the server keeps, before anybody is connected.
    ///
    /// # Errors
    /// [`PublishError`]: topics are off.
    pub(crate) async fn start(
        topics: TopicsHandle<NoGame>,
        mut chat: Chat,
    ) -> Result<Self, PublishError> {
        for pattern in ["accounts", "mutes", "marks/*"] {
            restore(&topics, (pattern, TopicDelivery::Latest), &mut chat).await?;
        }
        for pattern in ["channel/*", "dm/*/*", "account/*"] {
            restore(&topics, (pattern, TopicDelivery::Ordered), &mut chat).await?;
        }
        for it in chat.begin() {
            topics.publish(&it.topic, &it.key, it.payload)?;
        }
        Ok(Program { topics, chat: Arc::new(Mutex::new(chat)) })
    }

    /// Handles requests for as long as the server runs: after a restart those as well that came before it and were not handled.
    pub(crate) async fn run(self) {
        if let Err(error) = self.handle_requests().await {
            eprintln!("error: requests are not handled any more: {error}");
        }
    }

    /// The account of a name and a key; a new one is published.
    ///
    /// # Errors
    /// [`AuthRefusal`]: the name is none, or another one's.
    pub(crate) fn sign_in(&self, name: &str, key_hash: [u8; 32]) -> Result<String, AuthRefusal> {
        let mut chat = self.chat();
        let (account, published) = chat.sign_in(name, key_hash).map_err(refusal)?;
        for it in published {
            if let Err(error) = self.topics.publish(&it.topic, &it.key, it.payload) {
                chat.forget(&account);
                return Err(AuthRefusal::unavailable(error.to_string()));
            }
        }
        Ok(account)
    }

    async fn handle_requests(&self) -> Result<(), PublishError> {
        let after = self.read_cursor().await?;
        let options = ReadTopicsOptions { start: ALL, after, ..ReadTopicsOptions::default() };
        let mut requests = self.topics.subscribe("say/*", options)?;
        while let Ok(item) = requests.next().await {
            let TopicItem::Message { topic, message } = item else { continue };
            let Some(account) = topic.strip_prefix("say/") else { continue };
            if message.kind != TopicMessageKind::Value {
                continue;
            }
            let published = self.chat().handle_request(account, &message.payload, now_ms());
            for it in published {
                self.publish(it).await?;
            }
            if let Some(cursor) = requests.cursor() {
                let payload = cursor.to_string().into_bytes();
                let (topic, key) = (CURSOR_TOPIC.to_owned(), "cursor".to_owned());
                self.publish(Publication { topic, key, payload }).await?;
            }
        }
        Ok(())
    }

    /// The place of the last run, if there was one.
    async fn read_cursor(&self) -> Result<Option<MergedCursor>, PublishError> {
        let delivery = TopicDelivery::Latest;
        let options = ReadTopicsOptions { delivery, start: ALL, after: None };
        let mut kept = self.topics.subscribe(CURSOR_TOPIC, options)?;
        let mut cursor = None;
        while let Some(item) = next_kept(&mut kept).await {
            if let TopicItem::Message { message, .. } = item {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                cursor = text.parse().ok().or(cursor);
            }
        }
        Ok(cursor)
    }

    /// Puts a message into its topic, as soon as the store's disk takes it.
    async fn publish(&self, it: Publication) -> Result<(), PublishError> {
        loop {
            match self.topics.publish(&it.topic, &it.key, it.payload.clone()) {
                Ok(_) => return Ok(()),
                Err(error) if error.code == RefuseCode::Busy => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                // As many topics as there may be: the chat goes on with those that there are.
                Err(error) if error.code == RefuseCode::TopicsFull => {
                    eprintln!("error: {}: {error}", it.topic);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn chat(&self) -> MutexGuard<'_, Chat> {
        self.chat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn restore(
    topics: &TopicsHandle<NoGame>,
    (pattern, delivery): (&str, TopicDelivery),
    chat: &mut Chat,
) -> Result<(), PublishError> {
    let options = ReadTopicsOptions { delivery, start: ALL, after: None };
    let mut kept = topics.subscribe(pattern, options)?;
    while let Some(item) = next_kept(&mut kept).await {
        if let TopicItem::Message { topic, message } = item {
            chat.restore(&topic, &message.key, &message.payload);
        }
    }
    Ok(())
}

/// The next message that is there already.
async fn next_kept(reader: &mut TopicReader) -> Option<TopicItem> {
    tokio::select! {
        biased;
        item = reader.next() => item.ok(),
        () = std::future::ready(()) => None,
    }
}

fn refusal(refusal: SignInRefusal) -> AuthRefusal {
    match refusal {
        SignInRefusal::Full => AuthRefusal::unavailable(refusal.to_string()),
        SignInRefusal::Name | SignInRefusal::Taken => AuthRefusal::invalid(refusal.to_string()),
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
