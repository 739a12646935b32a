//! The file that says what a replay has done, so that it can go on after it was stopped or killed.
//!
//! One JSON object a line: first the replay itself, then each delivery that is done. A line is on disk before the delivery
//! counts as done.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions, TryLockError},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use letterbox_codec::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::stack::archive::Filter;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub version: u32,
    /// The stack's ARN.
    pub stack: String,
    /// Which deliveries.
    pub filter: Filter,
}

impl Header {
    /// The version that this program writes and reads.
    pub const VERSION: u32 = 1;
}

/// A delivery that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// API Gateway's request id.
    pub request: String,
    /// The code of its outcome.
    pub outcome: String,
    /// Source and id of the event that was put on the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<(String, String)>,
}

/// The journal of one replay. The file is locked: two processes cannot do the same replay at once.
#[derive(Debug)]
pub struct Journal {
    file: Locked,
    path: PathBuf,
    header: Header,
    done: HashSet<u128>,
    events: HashSet<u128>,
}

impl Journal {
    /// A file in the current folder that is named after the time.
    pub fn default_path(now: Timestamp) -> PathBuf {
        let time: String = now.to_string().chars().filter(|character| !"-:".contains(*character)).collect();
        let time = time.split('.').next().unwrap_or_default();
        PathBuf::from(format!("letterbox-replay-{time}Z.jsonl"))
    }

    /// Creates the file of a new replay. The error says why that is not possible.
    pub fn create(path: &Path, header: Header) -> Result<Self, String> {
        let in_file = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(path).map_err(in_file)?;
        let file = Locked::new(file, path)?;
        let mut journal =
            Self { file, path: path.to_owned(), header, done: HashSet::new(), events: HashSet::new() };
        let line = serde_json::to_string(&journal.header).map_err(|error| error.to_string())?;
        journal.write(&(line + "\n"))?;
        // The file's name is on disk, too.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(journal)
    }

    /// Opens the file of a replay that is to go on. A line that was not written to its end is removed: its delivery is not
    /// done.
    pub fn open(path: &Path) -> Result<Self, String> {
        let place = path.display();
        let in_file = |error: std::io::Error| format!("{place}: {error}");
        let file = OpenOptions::new().read(true).append(true).open(path).map_err(in_file)?;
        let file = Locked::new(file, path)?;
        let mut reader = BufReader::new(&file.0);
        let mut line = Vec::new();
        let mut whole = next_line(&mut reader, &mut line).map_err(in_file)?;
        let header: Header = serde_json::from_slice(&line)
            .ok()
            .filter(|header: &Header| whole > 0 && header.version == Header::VERSION)
            .ok_or_else(|| {
                format!("{place}: expected the journal of a replay, as this version of letterbox writes it")
            })?;
        let (mut done, mut events) = (HashSet::new(), HashSet::new());
        loop {
            let length = next_line(&mut reader, &mut line).map_err(in_file)?;
            if length == 0 {
                break;
            }
            let read: Done = serde_json::from_slice(&line)
                .map_err(|_| format!("{place}: damaged: expected a delivery in each line after the first"))?;
            done.insert(hash(&[&read.request]));
            events.extend(read.event.map(|(source, id)| hash(&[&source, &id])));
            whole = whole.saturating_add(length);
        }
        file.0.set_len(whole).map_err(in_file)?;
        let mut journal = Self { file, path: path.to_owned(), header, done, events };
        journal.file.0.seek(SeekFrom::End(0)).map_err(in_file)?;
        Ok(journal)
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many deliveries are done.
    pub fn count(&self) -> usize {
        self.done.len()
    }

    /// True if the delivery is done.
    pub fn has(&self, request_id: &str) -> bool {
        self.done.contains(&hash(&[request_id]))
    }

    /// Claims an event for one delivery; false if another delivery of this replay has it.
    pub fn claim_event(&mut self, source: &str, id: &str) -> bool {
        self.events.insert(hash(&[source, id]))
    }

    /// Adds deliveries, and returns once they are on disk.
    pub fn add(&mut self, done: &[Done]) -> Result<(), String> {
        let mut text = String::new();
        for one in done {
            text += &serde_json::to_string(one).map_err(|error| error.to_string())?;
            text.push('\n');
        }
        self.write(&text)?;
        for Done { request, event, .. } in done {
            self.done.insert(hash(&[request]));
            self.events.extend(event.as_ref().map(|(source, id)| hash(&[source, id])));
        }
        Ok(())
    }

    /// Removes the file of a replay that has nothing left to do.
    pub fn remove(self) -> Result<(), String> {
        std::fs::remove_file(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        let written = self.file.0.write_all(text.as_bytes()).and_then(|()| self.file.0.sync_data());
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// A file that no other process has locked.
#[derive(Debug)]
struct Locked(File);

impl Locked {
    fn new(file: File, path: &Path) -> Result<Self, String> {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(format!("{}: another process is doing this replay", path.display()))
            }
            // An error is that of a file system without locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self(file)),
        }
    }
}

impl Drop for Locked {
    /// Unlocks the file, and does not leave that to closing it: a process that is being started has the descriptor as well,
    /// until it runs its own program.
    fn drop(&mut self) {
        // A file system without locks has nothing to unlock.
        let _ = self.0.unlock();
    }
}

/// The longest line: a header with long filters.
const LONGEST: u64 = 1024 * 1024;

/// Reads a line that ends in a line feed, and returns its length in bytes; 0 if there is none.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<u64> {
    line.clear();
    let length = reader.by_ref().take(LONGEST).read_until(b'\n', line)?;
    Ok(if line.last() == Some(&b'\n') { u64::try_from(length).unwrap_or_default() } else { 0 })
}

/// A number that stands for these texts; no two lists of texts share one.
fn hash(texts: &[&str]) -> u128 {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.len().to_be_bytes());
        digest.update(text);
    }
    let digest: [u8; 32] = digest.finalize().into();
    digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let filter = Filter { since: Some(Timestamp(1_795_749_600_123)), ..Filter::default() };
        Header { version: Header::VERSION, stack: "arn:aws:…:stack/hooks/1".to_owned(), filter }
    }

    fn done(request: &str, event: Option<&str>) -> Done {
        let event = event.map(|id| ("/github/default".to_owned(), id.to_owned()));
        Done { request: request.to_owned(), outcome: "queued".to_owned(), event }
    }

    #[test]
    fn a_replay_goes_on_where_it_was_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path, header()).unwrap();
        journal.add(&[done("r1", Some("e1")), done("r2", None)]).unwrap();
        assert!(Journal::create(&path, header()).unwrap_err().contains("journal"), "it exists");
        assert!(Journal::open(&path).unwrap_err().contains("another process"));
        drop(journal);

        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.header(), &header());
        assert_eq!(
            (journal.count(), journal.has("r1"), journal.has("r2"), journal.has("r3")),
            (2, true, true, false)
        );
        assert!(
            !journal.claim_event("/github/default", "e1") && journal.claim_event("/github/default", "e2")
        );
        journal.add(&[done("r3", Some("e3"))]).unwrap();
        assert!(journal.has("r3") && !journal.claim_event("/github/default", "e3"));
        journal.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_journal_that_was_cut_anywhere_is_read_up_to_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path, header()).unwrap();
        journal.add(&[done("r1", Some("e1"))]).unwrap();
        journal.add(&[done("r2", None)]).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<usize> =
            whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let lines = ends.iter().filter(|end| **end <= length).count();
            match Journal::open(&path) {
                Ok(mut journal) => {
                    assert_eq!(journal.count() + 1, lines, "{length}");
                    // What follows is not attached to the rest of a line.
                    journal.add(&[done("r9", None)]).unwrap();
                    drop(journal);
                    let again = Journal::open(&path).unwrap();
                    assert!(again.has("r9") && again.count() == lines, "{length}");
                }
                Err(error) => {
                    assert!(lines == 0 && error.contains("expected the journal"), "{length}: {error}");
                }
            }
        }
    }

    #[test]
    fn other_files_are_no_journals() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let other = serde_json::to_string(&Header { version: 2, ..header() }).unwrap();
        for text in ["{}\n", "hello\n", &format!("{other}\n")] {
            std::fs::write(&path, text).unwrap();
            assert!(Journal::open(&path).unwrap_err().contains("expected the journal"), "{text}");
        }
        let first = serde_json::to_string(&header()).unwrap();
        std::fs::write(&path, format!("{first}\nhello\n")).unwrap();
        assert!(Journal::open(&path).unwrap_err().contains("damaged"));
        assert!(Journal::open(&folder.path().join("none")).is_err());
    }

    #[test]
    fn texts_are_told_apart() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["a"]), hash(&["a", ""]));
    }
}
