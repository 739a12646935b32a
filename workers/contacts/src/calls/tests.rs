use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use letterbox_codec::Timestamp;
use serde_json::json;

use super::*;

/// Answers in order, and what was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Value>>,
    urls: Mutex<Vec<String>>,
}

impl Transport for Script {
    fn send(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, HttpError>> + Send + '_>> {
        self.urls.lock().unwrap().push(request.url);
        let answer = self.answers.lock().unwrap().pop_front().expect("a call more than the script has");
        let response = Response {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(answer.to_string()),
        };
        let is_gone = answer["error"] == "gone";
        Box::pin(async move {
            if is_gone { Err(HttpError("oapi.dingtalk.com: reset".into())) } else { Ok(response) }
        })
    }
}

/// An application whose tokens are as many as it asks for.
struct App;

impl Application for App {
    fn name(&self) -> &'static str {
        "app"
    }

    fn request_token(&self) -> Request {
        Request::get("token".into())
    }

    fn read_token(&self, response: &Response) -> Result<Token, Failure> {
        let text = read(response)?.as_str().unwrap_or_default().to_owned();
        let stop = || Failure::new(Reaction::Final(Meaning::Stop), "no token");
        Token::new(text, 7200, Timestamp(i64::MAX / 2)).ok_or_else(stop)
    }
}

/// An answer is its own meaning: `{"error": …}` or the result.
fn read(response: &Response) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    let reaction = match body["error"].as_str() {
        None => return Ok(body),
        Some("token") => Reaction::Token,
        Some("busy") => Reaction::Again(Pause::Short, Meaning::Retry),
        Some("second") => Reaction::Again(Pause::Second, Meaning::Later),
        Some("minute") => Reaction::Again(Pause::Minute, Meaning::Later),
        Some(_) => Reaction::Final(Meaning::Absent),
    };
    Err(Failure { reaction, code: Some(7), message: "why".into() })
}

fn error(name: &str) -> Value {
    json!({ "error": name })
}

/// Calls once, with these answers. Returns the result, the URLs, and how many seconds it took.
async fn run(answers: Vec<Value>, seconds: u64) -> (Result<Value, Trouble>, Vec<String>, f64) {
    let script = Arc::new(Script { answers: Mutex::new(answers.into()), urls: Mutex::default() });
    let started = Instant::now();
    let calls = Calls::new(
        Arc::clone(&script) as Arc<dyn Transport>,
        Arc::default(),
        Limiter::new(1000, 1),
        started + Duration::from_secs(seconds),
    );
    let build = |token: &Secret| Request::get(format!("call?{}", token.expose()));
    let result = calls.call(&App, "user/get", &build, read).await;
    let urls = script.urls.lock().unwrap().clone();
    assert!(script.answers.lock().unwrap().is_empty(), "left over");
    (result, urls, started.elapsed().as_secs_f64())
}

fn ok(text: &str) -> Value {
    json!(text)
}

#[tokio::test(start_paused = true)]
async fn an_ended_token_is_fetched_again_once() {
    let (result, urls, _) = run(vec![ok("t1"), error("token"), ok("t2"), ok("done")], 900).await;
    assert_eq!(result, Ok(json!("done")));
    assert_eq!(urls, ["token", "call?t1", "token", "call?t2"]);
    let (result, urls, _) = run(vec![ok("t1"), error("token"), ok("t2"), error("token")], 900).await;
    assert_eq!(result, Err(Trouble::of_code(Meaning::Stop, 7, "user/get: why")));
    assert_eq!(urls.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_temporary_is_repeated_with_longer_pauses_and_not_for_ever() {
    let (result, urls, took) = run(vec![ok("t"), error("gone"), error("busy"), ok("done")], 900).await;
    assert_eq!((result, urls.len()), (Ok(json!("done")), 4));
    assert!((0.6..0.95).contains(&took), "{took}");
    let (result, ..) =
        run(vec![ok("t"), error("busy"), error("busy"), error("busy"), error("gone")], 900).await;
    assert_eq!(result, Err(Trouble::new(Meaning::Retry, "user/get: oapi.dingtalk.com: reset")));
    let (result, _, took) = run(vec![ok("t"), error("second"), error("second"), ok("done")], 900).await;
    assert_eq!(result, Ok(json!("done")));
    assert!((3.0..4.6).contains(&took), "{took}");
    let minutes = vec![ok("t"), error("minute"), error("minute"), error("minute"), error("minute")];
    let (result, _, took) = run(minutes, 900).await;
    assert_eq!(result, Err(Trouble::of_code(Meaning::Later, 7, "user/get: why")));
    assert!((140.0..211.0).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn no_pause_goes_beyond_the_end_of_the_run() {
    let (result, _, took) = run(vec![ok("t"), error("minute")], 15).await;
    assert_eq!(result.unwrap_err().meaning, Meaning::Later);
    assert!(took < 1.0, "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_is_final_is_not_repeated() {
    let (result, urls, _) = run(vec![ok("t"), error("absent")], 900).await;
    assert_eq!((result.unwrap_err().meaning, urls.len()), (Meaning::Absent, 2));
    // Nor is a token that there is none of.
    let (result, urls, _) = run(vec![ok("")], 900).await;
    assert_eq!(result, Err(Trouble::new(Meaning::Stop, "token: no token")));
    assert_eq!(urls, ["token"]);
}

#[test]
fn a_pause_doubles_and_the_jitter_adds_up_to_half() {
    assert_eq!(length(Pause::Short, 1, 0), Duration::from_millis(200));
    assert_eq!(length(Pause::Short, 3, 0), Duration::from_millis(800));
    assert_eq!(length(Pause::Second, 1, 128), Duration::from_millis(1250));
    assert!(length(Pause::Minute, 1, 255) < Duration::from_secs(30));
    assert!(length(Pause::Minute, u32::MAX, 255) < Duration::from_secs(20_000));
}
