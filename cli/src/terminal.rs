//! What a terminal shows: colours where it has them, and nothing that moves its cursor.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use thiserror::Error;

/// What went out and what came back.
pub const QUIET: Style = Style::new().dimmed();
/// What holds.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What a platform would try again.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// What ended in an error.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Standard output could not be written.
#[derive(Debug, Error)]
#[error("standard output: {0}")]
pub struct OutputError(String);

/// Text for a terminal: a sender must not move its cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// What a delivery took, in milliseconds.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Writes one line to standard output, coloured on a terminal that wants it.
pub fn tell(style: Style, line: &str) -> Result<(), OutputError> {
    use std::io::Write;
    writeln!(anstream::stdout(), "{style}{line}{style:#}").map_err(|error| unwritten(&error))
}

/// Writes to standard output; a reader that has gone away is no reason to end.
pub fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Tells on standard error what went wrong.
pub fn complain(error: &str) {
    anstream::eprintln!("{BAD}letterbox:{BAD:#} {error}");
}

/// Writes bytes to standard output as they are.
pub fn write(bytes: &[u8]) -> Result<(), OutputError> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> OutputError {
    OutputError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_as_such() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n中"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}中");
    }
}
