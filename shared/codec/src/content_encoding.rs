//! Bounded unpacking of bodies that came compressed.

use std::io::{BufRead, Read};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use crate::Reject;

/// A known `Content-Encoding` (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// `gzip` or `x-gzip`.
    Gzip,
    /// `deflate`: the zlib format, or, as some senders have it, bare deflate data.
    Deflate,
}

impl ContentEncoding {
    /// The coding of a body; `None` if it has none, several, or one that is not known.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let value = values.next()?.to_str().ok()?.trim();
        let known = match () {
            () if ["gzip", "x-gzip"].iter().any(|name| value.eq_ignore_ascii_case(name)) => Self::Gzip,
            () if value.eq_ignore_ascii_case("deflate") => Self::Deflate,
            () => return None,
        };
        values.next().is_none().then_some(known)
    }

    /// Unpacks a body. It is unpacked piece by piece, and [`Reject::TooLarge`] as soon as there are more bytes than
    /// `limit`; [`Reject::Malformed`] if it is not of this coding, cut off, or followed by anything else.
    pub fn unpack(self, body: &[u8], limit: usize) -> Result<Vec<u8>, Reject> {
        match self {
            Self::Gzip => read(MultiGzDecoder::new(body), MultiGzDecoder::into_inner, limit),
            Self::Deflate => match read(ZlibDecoder::new(body), ZlibDecoder::into_inner, limit) {
                Err(Reject::Malformed { .. }) => {
                    read(DeflateDecoder::new(body), DeflateDecoder::into_inner, limit)
                }
                unpacked => unpacked,
            },
        }
    }
}

/// Reads at most `limit` bytes. `rest` returns what the decoder has not read.
fn read<D: Read, R: BufRead>(
    mut decoder: D,
    rest: impl FnOnce(D) -> R,
    limit: usize,
) -> Result<Vec<u8>, Reject> {
    const MALFORMED: Reject = Reject::Malformed {
        field: std::borrow::Cow::Borrowed("content-encoding"),
        expected: "the coding of the body, or no such header",
    };
    let mut unpacked = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(&mut unpacked).map_err(|_| MALFORMED)?;
    if unpacked.len() > limit {
        return Err(Reject::TooLarge { limit });
    }
    match rest(decoder).fill_buf() {
        Ok([]) => Ok(unpacked),
        _ => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    /// The same bytes as gzip, zlib and bare deflate.
    fn packed(bytes: &[u8]) -> [Vec<u8>; 3] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        for writer in [&mut gzip as &mut dyn Write, &mut zlib, &mut deflate] {
            writer.write_all(bytes).unwrap();
        }
        [gzip.finish().unwrap(), zlib.finish().unwrap(), deflate.finish().unwrap()]
    }

    fn code(result: Result<Vec<u8>, Reject>) -> Result<Vec<u8>, &'static str> {
        result.map_err(|reject| reject.code())
    }

    #[test]
    fn a_body_is_unpacked_up_to_the_limit() {
        let text = "Grüße, 你好. ".repeat(100).into_bytes();
        let [gzip, zlib, deflate] = packed(&text);
        let limit = text.len();
        for (encoding, body) in [
            (ContentEncoding::Gzip, &gzip),
            (ContentEncoding::Deflate, &zlib),
            (ContentEncoding::Deflate, &deflate),
        ] {
            assert_eq!(encoding.unpack(body, limit).as_ref(), Ok(&text));
            assert_eq!(encoding.unpack(body, limit - 1), Err(Reject::TooLarge { limit: limit - 1 }));
            let cut = body.get(..body.len() - 1).unwrap();
            assert_eq!(code(encoding.unpack(cut, limit)), Err("malformed_field"), "{encoding:?}");
            let followed = [body.as_slice(), b"x"].concat();
            assert_eq!(code(encoding.unpack(&followed, limit)), Err("malformed_field"), "{encoding:?}");
            for other in [&b""[..], b"{}", &text] {
                assert_eq!(code(encoding.unpack(other, limit)), Err("malformed_field"), "{encoding:?}");
            }
        }
        // RFC 1952, section 2.2: a file may have several members.
        let twice = ContentEncoding::Gzip.unpack(&gzip.repeat(2), limit * 2);
        assert_eq!(twice, Ok(text.repeat(2)));
    }

    #[test]
    fn a_bomb_is_refused_early() {
        let limit = 1000;
        let [gzip, zlib, deflate] = packed(&vec![0; 4 * 1024 * 1024]);
        for (encoding, body) in [
            (ContentEncoding::Gzip, gzip),
            (ContentEncoding::Deflate, zlib),
            (ContentEncoding::Deflate, deflate),
        ] {
            assert_eq!(encoding.unpack(&body, limit), Err(Reject::TooLarge { limit }));
        }
    }

    #[test]
    fn one_known_coding_is_unpacked() {
        for (values, expected) in [
            (&["gzip"][..], Some(ContentEncoding::Gzip)),
            (&[" X-GZip "], Some(ContentEncoding::Gzip)),
            (&["deflate"], Some(ContentEncoding::Deflate)),
            (&[], None),
            (&["identity"], None),
            (&["br"], None),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(ContentEncoding::of(&headers), expected, "{values:?}");
        }
    }
}
