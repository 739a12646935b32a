//! What a terminal shows: colours where it has them, and nothing that moves its cursor.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

/// What went out and what came back.
pub const QUIET: Style = Style::new().dimmed();
/// What holds.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What a platform would try again.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// What ended in an error.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Text for a terminal: a sender must not move its cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// A time as people say it: `1500 ms`, `10 s`, `5 min`, `2 h`.
pub fn span(time: Duration) -> String {
    match (time.as_millis(), time.as_secs()) {
        (milliseconds, _) if milliseconds % 1000 != 0 => format!("{milliseconds} ms"),
        (_, seconds) if seconds > 0 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        (_, seconds) if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        (_, seconds) => format!("{seconds} s"),
    }
}

/// What a delivery took, in milliseconds.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Writes one line to standard output, coloured on a terminal that wants it.
pub fn tell(style: Style, line: &str) -> Result<(), String> {
    use std::io::Write;
    writeln!(anstream::stdout(), "{style}{line}{style:#}").map_err(unwritten)
}

/// Writes bytes to standard output as they are.
pub fn write(bytes: &[u8]) -> Result<(), String> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritten)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritten(error: std::io::Error) -> String {
    format!("standard output: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_as_such() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n中"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}中");
    }

    #[test]
    fn spans_are_short() {
        for (milliseconds, expected) in [
            (0, "0 s"),
            (1_500, "1500 ms"),
            (10_000, "10 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected);
        }
    }
}
