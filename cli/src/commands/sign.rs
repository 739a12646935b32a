//! `letterbox sign`: prints a delivery for other tools, without sending it.

use clap::{Args, ValueEnum};
use letterbox_intake::ambient;

use super::CommandError;
use crate::{
    formats::{curl::write as curl, gateway, raw},
    options::ProviderName,
    sender::delivery::{self, OutgoingDelivery},
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
  letterbox sign payment --data payment.json --as raw | nc 127.0.0.1 9000

The delivery is signed with the current time: a receiver that checks the timestamp accepts it only for some \
minutes.")]
pub struct Sign {
    /// The platform to act as
    #[arg(value_parser = ProviderName)]
    pub provider: String,
    /// The sample; with --data, the name of the event, if the platform sends it outside of the payload
    #[arg(required_unless_present = "data")]
    pub sample: Option<String>,
    /// The form to print: a curl command, an API Gateway event, or raw HTTP/1.1
    #[arg(long = "as", value_name = "FORM", default_value = "curl")]
    pub form: Form,
    /// The payload, its target and the credentials.
    #[command(flatten)]
    pub delivery: delivery::DeliveryArgs,
}

/// An output format.
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
pub fn run(args: &Sign) -> Result<(), CommandError> {
    let delivery = OutgoingDelivery::new(&args.provider, args.sample.as_deref(), &args.delivery)
        .map_err(CommandError::Usage)?;
    let ambient = ambient::system().map_err(CommandError::failed)?;
    let request = delivery.build_request(&ambient).map_err(CommandError::Usage)?;
    let written = match args.form {
        Form::Curl => write(curl::command(&request).as_bytes()),
        Form::Event => {
            let event = format!("{:#}\n", gateway::event(&request, delivery.platform.name(), ambient.now));
            write(printable_json(&event).as_bytes())
        }
        Form::Raw => write_content(&raw::write(&request)),
    };
    Ok(written?)
}
