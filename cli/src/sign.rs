//! `letterbox sign`: a delivery for other tools, not sent.

pub mod curl;

use clap::{Args, ValueEnum};
use letterbox_codec::Request;
use letterbox_intake::ambient;

use crate::{
    args::ProviderName,
    delivery::{self, Delivery},
    gateway,
    terminal::{printable_json, write, write_content},
};

/// `letterbox sign`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox sign github push
  letterbox sign github push --to https://abc123.execute-api.eu-central-1.amazonaws.com | sh
  letterbox sign dingtalk check_url | sh | letterbox open dingtalk
  letterbox sign github push --as event > event.json
    cargo lambda invoke github --data-file event.json
    sam local invoke GithubFunction --event event.json
  letterbox sign payment --data notice.json --as raw | nc 127.0.0.1 9000

What is printed is signed for now: a receiver that bounds the age of a timestamp takes it for some minutes.")]
pub struct Sign {
    /// The platform to act as
    #[arg(value_parser = ProviderName)]
    pub provider: String,
    /// The sample; with --data, the name of the event, where the platform says it outside of the payload
    #[arg(required_unless_present = "data")]
    pub sample: Option<String>,
    /// In which form
    #[arg(long = "as", value_name = "FORM", default_value = "curl")]
    pub form: Form,
    /// What goes where.
    #[command(flatten)]
    pub delivery: delivery::DeliveryArgs,
}

/// A form of a delivery.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Form {
    /// A shell command
    Curl,
    /// The JSON with which API Gateway invokes a function (payload format 2.0)
    Event,
    /// HTTP/1.1, byte for byte
    Raw,
}

/// Prints a delivery.
pub fn run(args: &Sign) -> Result<(), String> {
    let delivery = Delivery::new(&args.provider, args.sample.as_deref(), &args.delivery)?;
    let ambient = ambient::system().map_err(|error| error.to_string())?;
    let letter = delivery.letter(&ambient)?;
    match args.form {
        Form::Curl => write(curl::command(&letter).as_bytes()),
        Form::Event => {
            let event = format!("{:#}\n", gateway::event(&letter, delivery.row.name, ambient.now));
            write(printable_json(&event).as_bytes())
        }
        Form::Raw => write_content(&raw(&letter)),
    }
}

/// The bytes on the wire.
fn raw(letter: &Request) -> Vec<u8> {
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
