//! Reads files and standard input up to a size limit.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Read},
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::terminal::complain;

/// A size limit, and what it applies to.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    bytes: u64,
    of: &'static str,
}

const MIB: u64 = 1024 * 1024;

/// The largest body that API Gateway forwards, in bytes
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>, read 2026-11-26).
pub const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// The limit of a body or payload.
pub const BODY: Limit = Limit { bytes: LARGEST_BODY as u64, of: "a body" };

/// The limit of a request or response as an event, a command or raw HTTP: JSON may need six characters for a byte, so
/// the largest body becomes 60 MiB.
pub const MESSAGE: Limit = Limit { bytes: 64 * MIB, of: "one request or response" };

/// The limit of a HAR, which contains all responses of a browser session.
pub const ARCHIVE: Limit = Limit { bytes: 256 * MIB, of: "a HAR" };

/// The limit of a credentials file; a Secrets Manager secret has at most 64 KiB.
pub const CREDENTIALS: Limit = Limit { bytes: 4 * MIB, of: "credentials" };

/// The limit of the card catalogue, as for a function that reads it from S3.
pub const CATALOGUE: Limit = Limit { bytes: 16 * MIB, of: "a card catalogue" };

/// The timeout for another program to open a named pipe for writing.
const UNOPENED: Duration = Duration::from_secs(5);

/// Names of standard input in shells and curl commands.
const STANDARD_INPUT: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// True once standard input has been read; it can be read only once.
static CONSUMED: AtomicBool = AtomicBool::new(false);

/// Reads a file; `-` is standard input. Returns an error if the content exceeds the limit.
///
/// A pipe is read like a file, because `<(command)` in a shell is one. A program must open a named pipe for writing within
/// five seconds; reading it then has no timeout, like standard input.
pub fn read(file: &Path, limit: Limit) -> Result<Vec<u8>, String> {
    if STANDARD_INPUT.iter().any(|name| file == Path::new(name)) {
        return standard_input(limit);
    }
    let place = file.display();
    let failed =
        |error: io::Error| format!("{place}: {error}; name a file that can be read, or - for standard input");
    let kind = fs::metadata(file).map_err(failed)?;
    if kind.is_file() && kind.len() > limit.bytes {
        return Err(too_large(&place, limit, &format!("{} bytes", kind.len())));
    }
    let opened =
        if kind.is_file() { File::open(file).map_err(failed)? } else { open(file)?.map_err(failed)? };
    bounded(opened, limit).map_err(failed)?.ok_or_else(|| too_large(&place, limit, "more"))
}

fn standard_input(limit: Limit) -> Result<Vec<u8>, String> {
    const PLACE: &str = "standard input";
    if CONSUMED.swap(true, Ordering::Relaxed) {
        return Err(format!("{PLACE}: it can be read only once; save it to a file, and name the file"));
    }
    let input = io::stdin().lock();
    if input.is_terminal() {
        complain("reading standard input; Ctrl-D ends it");
    }
    let read = bounded(input, limit).map_err(|error| format!("{PLACE}: {error}"))?;
    read.ok_or_else(|| too_large(&PLACE, limit, "more"))
}

/// Opens a special file. Opening a named pipe blocks until it has a writer, so a separate thread opens it; if there is no
/// writer, that thread ends with the program.
fn open(file: &Path) -> Result<io::Result<File>, String> {
    let (done, opened) = mpsc::channel();
    let path = file.to_owned();
    thread::spawn(move || drop(done.send(File::open(path))));
    opened.recv_timeout(UNOPENED).map_err(|_| {
        let seconds = UNOPENED.as_secs();
        format!(
            "{}: no program has opened this pipe for writing within {seconds} s; start the writer first, or name a file",
            file.display()
        )
    })
}

/// The whole content, or `None` if it exceeds the limit.
fn bounded(input: impl Read, limit: Limit) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.take(limit.bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit.bytes);
    Ok(fits.then_some(bytes))
}

fn too_large(place: &dyn std::fmt::Display, limit: Limit, found: &str) -> String {
    let Limit { bytes, of } = limit;
    format!(
        "{place}: too large: {of} has at most {} MiB ({bytes} bytes), and this has {found}; name a smaller file",
        bytes / MIB
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let limit = Limit { bytes: 3 * MIB, of: "a test" };
        let write = |bytes: u64| File::create(&path).unwrap().set_len(bytes).unwrap();
        write(3 * MIB);
        assert_eq!(read(&path, limit).unwrap().len(), 3 * 1024 * 1024);
        for bytes in [3 * MIB + 1, 1 << 34] {
            write(bytes);
            let error = read(&path, limit).unwrap_err();
            let expected =
                format!("a test has at most 3 MiB (3145728 bytes), and this has {bytes} bytes; name a");
            assert!(error.contains(&expected), "{error}");
        }
        let error = read(folder.path(), limit).unwrap_err();
        assert!(error.contains("irectory"), "{error}");
        let error = read(&folder.path().join("b"), limit).unwrap_err();
        assert!(error.contains("No such file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_an_end_is_an_error() {
        let error = read(Path::new("/dev/zero"), BODY).unwrap_err();
        assert_eq!(
            error,
            "/dev/zero: too large: a body has at most 10 MiB (10485760 bytes), and this has more; name a smaller file"
        );
        assert_eq!(read(Path::new("/dev/null"), BODY).unwrap(), b"");
    }
}
