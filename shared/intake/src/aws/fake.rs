//! An HTTP server in place of AWS, for tests: its responses are right, wrong or endless.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws_config::SdkConfig;
use aws_sdk_sqs::config::{Credentials, Region};

/// One request that the server read.
pub(crate) struct Request {
    /// Such as `POST`.
    pub method: String,
    /// As received.
    pub body: Vec<u8>,
}

/// The response of the server.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status line's end, such as `200 OK`; further header lines, each with its line break; a body.
    Whole(&'static str, String, String),
    /// A status, and a body that ends only when the client closes the connection.
    EndlessBody(&'static str),
    /// 200, and header lines that end only when the client closes the connection.
    EndlessHead,
}

impl Reply {
    pub fn ok(body: impl Into<String>) -> Self {
        Self::Whole("200 OK", String::new(), body.into())
    }

    /// A proxy's sign-in page.
    pub fn page() -> Self {
        let headers = "Content-Type: text/html\r\nETag: \"5f3a-61d\"\r\n";
        Self::Whole("200 OK", headers.to_owned(), "<!doctype html><title>Sign in</title>".to_owned())
    }
}

/// Listens on the loopback interface until the test ends.
pub(crate) struct Server {
    endpoint: String,
    written: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (reply, written) = (Arc::new(reply), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&written);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reply, counter) = (Arc::clone(&reply), Arc::clone(&counter));
                // A closed connection ends its thread.
                thread::spawn(move || serve(stream, &*reply, &counter));
            }
        });
        Self { endpoint, written }
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    /// The configuration of [`super::config`], with another endpoint and other credentials.
    pub async fn config(&self) -> SdkConfig {
        super::loader()
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .load()
            .await
    }

    pub fn url(&self) -> String {
        format!("{}/1/queue", self.endpoint)
    }
}

fn serve(stream: TcpStream, reply: &dyn Fn(&Request) -> Reply, written: &AtomicUsize) -> std::io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    let mut write = |bytes: &[u8]| -> std::io::Result<()> {
        output.write_all(bytes)?;
        written.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(())
    };
    while let Some(request) = read(&mut input)? {
        match reply(&request) {
            Reply::Whole(status, headers, body) => {
                let length = body.len();
                write(
                    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
                        .as_bytes(),
                )?;
            }
            Reply::EndlessBody(status) => {
                write(format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes())?;
                loop {
                    write(format!("1000\r\n{}\r\n", " ".repeat(0x1000)).as_bytes())?;
                }
            }
            Reply::EndlessHead => {
                write(b"HTTP/1.1 200 OK\r\n")?;
                loop {
                    write(format!("X-More: {}\r\n", "x".repeat(0x1000)).as_bytes())?;
                }
            }
        }
    }
    Ok(())
}

/// `None` once the client has no further request.
fn read(input: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        input.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(Request { method, body }))
}
