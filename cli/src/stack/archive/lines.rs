//! The content of an object: lines, as a rule in gzip.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

/// The longest line that is read, in bytes: a record has at most 1,000 KiB.
const LONGEST: u64 = 2 * 1024 * 1024;

/// The most that an object may unpack to, in bytes: eight times what Firehose buffers at most.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Calls `each` with every line, until it returns false. A line that is too long is passed on as `None`. The error says that
/// the content is incomplete or damaged; what came before it is passed on.
pub fn each(content: &[u8], mut each: impl FnMut(Option<&[u8]>) -> bool) -> io::Result<()> {
    let unpacked: Box<dyn Read + '_> =
        if content.starts_with(&GZIP) { Box::new(MultiGzDecoder::new(content)) } else { Box::new(content) };
    let mut unpacked = BufReader::with_capacity(64 * 1024, unpacked.take(LARGEST.saturating_add(1)));
    let mut line = Vec::new();
    let mut left = LARGEST;
    loop {
        line.clear();
        let read = unpacked.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        left = left
            .checked_sub(u64::try_from(read).unwrap_or(u64::MAX))
            .ok_or_else(|| io::Error::other("it unpacks to more than 1 GiB"))?;
        if read == 0 {
            return Ok(());
        }
        let is_cut = u64::try_from(read).is_ok_and(|read| read == LONGEST) && line.last() != Some(&b'\n');
        if is_cut {
            left = left.saturating_sub(skip_line(&mut unpacked)?);
        }
        if !line.trim_ascii().is_empty() && !each((!is_cut).then_some(&line)) {
            return Ok(());
        }
    }
}

/// Skips the rest of a line, and returns its length.
fn skip_line(content: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0_u64;
    loop {
        let buffer = content.fill_buf()?;
        let (length, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(position) => (position.saturating_add(1), true),
            None => (buffer.len(), buffer.is_empty()),
        };
        content.consume(length);
        skipped = skipped.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if is_end {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(content: &[u8]) -> (Vec<Option<String>>, bool) {
        let mut lines = Vec::new();
        let result = each(content, |line| {
            lines.push(line.map(|line| String::from_utf8_lossy(line).trim_end().to_owned()));
            true
        });
        (lines, result.is_ok())
    }

    #[test]
    fn lines_are_read_from_gzip_and_from_plain_text() {
        let expected = ["{1}", "{2}", "{3}"].map(|line| Some(line.to_owned()));
        for content in [
            b"{1}\n\n{2}\r\n{3}".to_vec(),
            packed(b"{1}\n{2}\n{3}\n"),
            [packed(b"{1}\n"), packed(b"{2}\n{3}\n")].concat(),
        ] {
            assert_eq!(lines(&content), (expected.to_vec(), true));
        }
        assert_eq!(lines(b""), (Vec::new(), true));
    }

    #[test]
    fn what_is_damaged_is_an_error_after_what_is_whole() {
        let mut noise = 1_u64;
        let numbers = (0..20_000).map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.to_string()
        });
        let text = numbers.collect::<Vec<_>>().join("\n");
        let whole = packed(text.as_bytes());
        let (read, is_ok) = lines(&whole[..whole.len() / 2]);
        assert!(!is_ok && read.len() > 1000 && read[0] == text.lines().next().map(str::to_owned));
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        let long = "x".repeat(usize::try_from(LONGEST).unwrap() * 2 + 7);
        let (read, is_ok) = lines(&packed(format!("a\n{long}\nb\n{long}").as_bytes()));
        assert_eq!(read, [Some("a".to_owned()), None, Some("b".to_owned()), None]);
        assert!(is_ok);
        let exact = "y".repeat(usize::try_from(LONGEST).unwrap() - 1);
        assert_eq!(lines(format!("{exact}\nb").as_bytes()).0.len(), 2);
    }

    #[test]
    fn the_caller_may_stop() {
        let mut count = 0;
        each(b"1\n2\n3\n", |_| {
            count += 1;
            count < 2
        })
        .unwrap();
        assert_eq!(count, 2);
    }
}
