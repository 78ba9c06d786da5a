//! What the program that runs a server says to those who are on it.

use tickwire::server::{Server, ServerError};

use crate::tag::Tag;

// ANCHOR: notices
/// Runs a server, and says something to everyone on it, and to those in one room.
pub async fn announce(server: Server<Tag>) -> Result<(), ServerError> {
    let notices = server.notices();
    let say = async {
        notices.send("the server restarts in five minutes");
        if !notices.send_to_room("friends", "the match is over").await {
            println!("there is no such room");
        }
        std::future::pending::<()>().await;
    };
    server.run(say).await
}
// ANCHOR_END: notices
