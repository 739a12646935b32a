//! Writes raw HTTP.

use letterbox_codec::Request;

/// The request as bytes of HTTP/1.1.
pub fn write(request: &Request) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let host = request.uri().authority().map_or("localhost", |host| host.as_str());
    let mut raw = format!("{} {target} HTTP/1.1\r\nhost: {host}\r\n", request.method()).into_bytes();
    for (name, value) in request.headers() {
        raw.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    raw.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", request.body().len()).into_bytes());
    raw.extend_from_slice(request.body());
    raw
}
