//! Runs the program, and receives the requests that it sends.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use letterbox_registry::PROVIDERS;
use serde_json::Value;

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_letterbox");

/// Each provider, and the name of its first sample.
pub fn first_samples() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROVIDERS.iter().map(|provider| (provider.name(), provider.facts().first_sample))
}

/// A running `letterbox serve`, ended at the end of the test.
pub struct Server {
    child: Child,
    pub url: String,
    lines: BufReader<std::process::ChildStdout>,
}

impl Server {
    pub fn start(folder: &Path, more: &[&str]) -> Self {
        Self::spawn(folder, Command::new(PROGRAM).args(["serve", "--port", "0"]).args(more))
    }

    /// Runs a command that starts `letterbox serve` with `exec`.
    pub fn spawn(folder: &Path, command: &mut Command) -> Self {
        let mut child =
            command.current_dir(folder).env_remove("CARDS").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        lines.read_line(&mut banner).unwrap();
        let url = banner.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Self { child, url: url.trim_end_matches(',').to_owned(), lines }
    }

    /// The rest of the next line that starts with `beginning`.
    pub fn printed(&mut self, beginning: &str) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
            line.clear();
        }
        panic!("nothing begins with {beginning:?}");
    }

    /// The next line that contains `part`.
    pub fn line_with(&mut self, part: &str) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if line.contains(part) {
                return line;
            }
            line.clear();
        }
        panic!("no line contains {part:?}");
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processor time that it has taken.
    pub fn worked(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which may have spaces in it; in hundredths of a second.
        let numbers = stat.rsplit(')').next().unwrap().split_whitespace();
        let spent: u64 = numbers.skip(11).take(2).map(|number| number.parse::<u64>().unwrap()).sum();
        Duration::from_millis(spent * 10)
    }

    /// The memory that it has now, in bytes.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Sends SIGTERM without reading the output.
    pub fn end_without_reading(mut self) -> ExitStatus {
        self.terminate();
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM, and returns the rest of the output.
    pub fn end(mut self) -> String {
        self.terminate();
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program to its end.
pub fn letterbox(folder: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).current_dir(folder).env_remove("CARDS").output().unwrap()
}

/// Runs the program to its end, with `input` on standard input.
pub fn letterbox_with(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    run(Command::new(PROGRAM).args(args).current_dir(folder), input)
}

/// Runs a command to its end, with `input` on standard input.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that ends before it has read everything closes the pipe; its output shows the reason.
    let writer = thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The standard output of a command that must succeed.
pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Decodes output as UTF-8.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The events on the embedded queue of a folder.
pub fn events(folder: &Path) -> Vec<Value> {
    let output = letterbox(folder, &["events", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A server with fixed responses that records the requests it receives.
pub struct Receiver {
    pub url: String,
    requests: Arc<Mutex<Vec<SentRequest>>>,
}

/// A request that the program sent.
pub struct SentRequest {
    pub head: String,
    pub body: Vec<u8>,
}

impl SentRequest {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Receiver {
    /// Sends each response (status and body) once, then repeats the last one; waits for `pause` before each.
    pub fn start(answers: &[(&'static str, &'static str)], pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, recorded) = (answers.to_vec(), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                let mut request = SentRequest { head, body: Vec::new() };
                let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
                request.body = vec![0; length];
                reader.read_exact(&mut request.body).unwrap();
                let mut requests = recorded.lock().unwrap();
                let (status, body) = answers.get(requests.len()).unwrap_or(answers.last().unwrap());
                requests.push(request);
                drop(requests);
                thread::sleep(pause);
                let answer = format!(
                    "HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // A client whose timeout has passed does not read it.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, requests }
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<SentRequest> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}
