//! After a restart the journals may have two rooms of one name, or one player in two rooms: the ones that were played last count.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tickwire_shared::control::{ClientFrame, RoomQuery, ServerFrame};

use crate::client::Over;
use crate::commands::answer;
use crate::harness::soon;
use crate::restored::{Files, resumed, resumed_in, seated, walk};

/// A room as its folder was once, and was left then.
struct Left {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Left {
    fn take(folder: &Path) -> Self {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let files =
            files.map(|file| (file.file_name().unwrap().into(), std::fs::read(file).unwrap()));
        let mut files: Vec<_> = files.collect();
        files.sort_unstable();
        Left { files }
    }

    /// The same with a record that was cut.
    fn cut(mut self) -> Self {
        let segments = self.files.iter_mut().filter(|(name, _)| name.ends_with("000000.journal"));
        segments.for_each(|(_, bytes)| bytes.extend_from_slice(&[9; 5]));
        self
    }

    /// Puts it into `folder`, an hour old.
    fn put(&self, folder: &Path) {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir(folder).unwrap();
        for (name, bytes) in &self.files {
            std::fs::write(folder.join(name), bytes).unwrap();
            let file = File::options().write(true).open(folder.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        }
    }
}

#[tokio::test]
async fn of_two_rooms_of_one_name_the_one_that_was_played_last_goes_on() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut ann, secret) = seated(&server, Over::Quic, "bay", "ann").await;
    walk(&mut ann, 3).await;
    files.until_kept(ann.tick.0).await;
    // As if this room had failed here, and its players had made it anew.
    let failed = Left::take(&files.journals()[0]).cut();
    walk(&mut ann, 20).await;
    files.until_kept(ann.tick.0).await;
    let reached = ann.tick.0;
    files.kill(server).await;
    let [played] = &files.journals()[..] else { panic!("not one journal") };
    let folder = played.with_file_name("bay-0-0");
    failed.put(&folder);
    let server = files.server(|_| {}).await;
    let back = resumed(&server, Over::Quic, (ann.player, secret), ann.requests).await;
    assert!(back.tick.0 >= reached, "{} after {reached}", back.tick.0);
    // The other is there for whoever wants to look at it, and as old as it was.
    assert_eq!(Left::take(&folder).files, failed.files);
    let newest = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().modified().unwrap());
    assert!(newest.max().unwrap() < SystemTime::now() - Duration::from_secs(1800));
}

#[tokio::test]
async fn a_player_in_two_restored_rooms_is_in_the_later_one_and_leaves_the_other() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut ann, anns) = seated(&server, Over::Quic, "bay", "ann").await;
    let (mut bob, bobs) = seated(&server, Over::Quic, "bay", "bob").await;
    walk(&mut ann, 3).await;
    walk(&mut bob, 3).await;
    files.until_kept(bob.tick.0).await;
    // As if this room's journal had failed here: it does not say that ann left.
    let failed = Left::take(&files.journals()[0]);
    let request = ann.ask(|request| ClientFrame::Leave { request }).await;
    assert_eq!(answer(&mut ann).await, ServerFrame::Left { request });
    ann.join("alcove", "ann").await;
    walk(&mut ann, 3).await;
    files.until_kept(ann.tick.0).await;
    files.kill(server).await;
    let [_alcove, bay] = &files.journals()[..] else { panic!("not two journals") };
    failed.put(bay);
    let server = files.server(|config| config.resume_grace_ms = 60_000).await;
    let mut bob = resumed(&server, Over::Quic, (bob.player, bobs), bob.requests).await;
    let asked = ann.requests;
    let (_ann, room) = resumed_in(&server, Over::Quic, (ann.player, anns), asked).await;
    assert_eq!(room, "alcove");
    // Long before the grace is over, and perhaps before bob is back.
    soon("bob alone", async {
        loop {
            let query = RoomQuery::default();
            bob.ask(|request| ClientFrame::ListRooms { request, query }).await;
            let ServerFrame::Rooms { rooms, .. } = answer(&mut bob).await else {
                panic!("no list")
            };
            if rooms.iter().any(|room| room.name == "bay" && room.players == 1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
