//! A load generator: sends one request over and over on a number of connections, each of which waits for its response.
//!
//! `load <host:port> <file with the raw request> <connections> <seconds>` prints JSON: how many responses of which status,
//! and percentiles of their latencies in milliseconds. One thread, as little work for a request as wrk.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Error},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// Statuses and latencies.
#[derive(Default)]
struct Responses {
    statuses: BTreeMap<u16, u64>,
    microseconds: Vec<u32>,
}

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [address, file, connections, seconds] = arguments.as_slice() else {
        return Err(Error::other("expected <host:port> <file> <connections> <seconds>"));
    };
    let number = |text: &str| text.parse::<u32>().map_err(Error::other);
    let (connections, seconds) = (number(connections)?, number(seconds)?);
    let request: &'static [u8] = fs::read(file)?.leak();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    let end = started + Duration::from_secs(seconds.into());
    let (all, errors) = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn(send(address.clone(), request, end));
        }
        let (mut all, mut errors) = (Responses::default(), 0);
        while let Some(done) = tasks.join_next().await {
            let Ok(Ok(responses)) = done else {
                errors += 1;
                continue;
            };
            for (status, count) in responses.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
            all.microseconds.extend(responses.microseconds);
        }
        (all, errors)
    });
    let took = started.elapsed().as_secs_f64();
    let Responses { statuses, microseconds: mut all } = all;
    all.sort_unstable();
    let at =
        |thousandths: usize| all.get(all.len() * thousandths / 1000).map(|time| f64::from(*time) / 1000.0);
    let result = json!({
        "connections": connections,
        "seconds": took,
        "statuses": statuses.iter().map(|(status, count)| (status.to_string(), count)).collect::<BTreeMap<_, _>>(),
        "broken_connections": errors,
        "p50_ms": at(500),
        "p90_ms": at(900),
        "p99_ms": at(990),
        "p999_ms": at(999),
    });
    println!("{result}");
    Ok(())
}

async fn send(address: String, request: &[u8], end: Instant) -> io::Result<Responses> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut responses = Responses::default();
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(responses);
        }
        stream.write_all(request).await?;
        let status = read(&mut stream, &mut buffer).await?;
        responses.microseconds.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        *responses.statuses.entry(status).or_default() += 1;
    }
}

/// Reads one response, and returns its status.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((status, length)) = head(buffer)? {
            while buffer.len() < length {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(status);
        }
    }
}

/// The status and the length of a whole response, if its head is there.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).map_err(Error::other)? else {
        return Ok(None);
    };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|length| std::str::from_utf8(length.value).ok()?.parse::<usize>().ok());
    Ok(Some((response.code.unwrap_or_default(), head + length.unwrap_or_default())))
}
