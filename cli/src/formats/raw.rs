//! Raw HTTP.

use letterbox_codec::Request;

/// The bytes on the wire.
pub fn write(letter: &Request) -> Vec<u8> {
    let target = letter.uri().path_and_query().map_or("/", |target| target.as_str());
    let host = letter.uri().authority().map_or("localhost", |host| host.as_str());
    let mut raw = format!("{} {target} HTTP/1.1\r\nhost: {host}\r\n", letter.method()).into_bytes();
    for (name, value) in letter.headers() {
        raw.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    raw.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", letter.body().len()).into_bytes());
    raw.extend_from_slice(letter.body());
    raw
}
