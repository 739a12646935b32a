//! The form of the inputs: HTTP/1.1 as text, so that a corpus can be read, and a changed byte is mostly still a request.

use http::{HeaderName, HeaderValue, Method, Uri};
use letterbox_codec::{Ambient, Request, Timestamp, headers};

/// 2026-11-21T10:00:00.123Z, when the sample events were received, and bytes that count up.
pub fn ambient() -> Ambient {
    let mut entropy = [0; Ambient::ENTROPY];
    for (byte, number) in entropy.iter_mut().zip(1..) {
        *byte = number;
    }
    Ambient { now: Timestamp(1_795_255_200_123), entropy }
}

/// Reads a request: `POST /github/acme?a=b HTTP/1.1`, headers, an empty line, and the body. `None` if it is none.
pub fn request(input: &[u8]) -> Option<Request> {
    let mut places = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut places);
    let httparse::Status::Complete(end) = parsed.parse(input).ok()? else { return None };
    let mut request = Request::new(input.get(end..)?.to_vec().into());
    *request.method_mut() = parsed.method?.parse::<Method>().ok()?;
    *request.headers_mut() =
        headers::collect(parsed.headers.iter().map(|header| (header.name, header.value))).ok()?;
    let path = parsed.path.filter(|path| path.starts_with('/'))?;
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    *request.uri_mut() = Uri::builder().scheme("https").authority(host).path_and_query(path).build().ok()?;
    Some(request)
}

/// Takes a header out of a request.
pub fn take(request: &mut Request, name: &'static str) -> Option<String> {
    let value = request.headers_mut().remove(HeaderName::from_static(name))?;
    value.to_str().ok().map(str::to_owned)
}

/// The place and the bit that an input wants to have changed: `x-change: 17 3`.
pub fn change(request: &mut Request) -> (usize, usize) {
    let text = take(request, "x-change").unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace();
    let place = numbers.next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let bit = numbers.next().and_then(|number| number.parse::<usize>().ok()).unwrap_or_default();
    (place, bit % 8)
}

/// The same bytes with one bit flipped; `None` if there are none.
pub fn flipped(bytes: &[u8], (place, bit): (usize, usize)) -> Option<Vec<u8>> {
    let place = place.checked_rem(bytes.len())?;
    let mut changed = bytes.to_vec();
    *changed.get_mut(place)? ^= 1 << (bit % 8);
    Some(changed)
}

/// Adds headers that are not there yet.
pub fn add_missing(request: &mut Request, more: &http::HeaderMap<HeaderValue>) {
    for (name, value) in more {
        if !request.headers().contains_key(name) {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }
}
