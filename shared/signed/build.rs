//! Compiles `presets/<name>.toml` into the tables that `src/presets.rs` and `src/sender.rs` include.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preset {
    /// What the sender is called.
    title: String,
    /// The URL of the sender's own documentation, and when it was last read.
    source: String,
    read: toml::value::Date,
    scheme: Scheme,
    #[serde(default)]
    event: Event,
    /// Headers that become extension attributes of the event, by the attribute's name.
    attributes: Option<BTreeMap<String, String>>,
    /// The header that may replace the event's type.
    type_override: Option<TypeOverride>,
    /// The requests that are answered and not queued.
    #[serde(default)]
    handshake: Vec<Handshake>,
    /// The acknowledgement, where a status is not enough.
    answer: Option<Answer>,
    delivery: Delivery,
    setup: Setup,
    /// Facts that were not confirmed by the sender's documentation.
    uncertain: Option<Setup>,
    proof: Proof,
}

/// How the sender signs: the fields of a credentials entry.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Scheme {
    header: String,
    prefix: Option<String>,
    separator: Option<String>,
    signature_key: Option<String>,
    timestamp_key: Option<String>,
    signature_index: Option<u8>,
    timestamp_index: Option<u8>,
    encoding: Option<String>,
    algorithm: Option<String>,
    secret_encoding: Option<String>,
    template: Option<String>,
    timestamp_header: Option<String>,
    timestamp_path: Option<String>,
    timestamp_unit: Option<String>,
    tolerance: Option<u32>,
    id_header: Option<String>,
    url_decoded: Option<String>,
    covered_key: Option<String>,
    header_families: Option<Vec<String>>,
}

/// Where the payload says what the event is, and how it is acknowledged: the other fields of an entry.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Event {
    r#type: Option<String>,
    type_header: Option<String>,
    type_default: Option<String>,
    subject: Option<String>,
    id: Option<String>,
    unsigned_id_header: Option<String>,
    delivery_header: Option<String>,
    time: Option<String>,
    payload: Option<String>,
    status: Option<u32>,
    deadline_ms: Option<u32>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TypeOverride {
    header: String,
    values: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Handshake {
    method: Option<String>,
    when_query: Option<BTreeMap<String, String>>,
    token_query: Option<String>,
    r#type: Option<String>,
    when_header: Option<BTreeMap<String, String>>,
    when_empty: Option<String>,
    echo_query: Option<String>,
    echo_header: Option<String>,
    echo_path: Option<String>,
    reply_member: Option<String>,
    mac_member: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: Option<u32>,
    content_type: Option<String>,
    body: Option<String>,
}

/// The sender's delivery policy. What it does not publish is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    /// How long the sender waits for the whole response.
    timeout: Option<Span>,
    accepted: Accepted,
    /// The delay before each retry.
    #[serde(default)]
    retry_delays: Vec<Delay>,
    /// What the sender does with a delivery that was never acknowledged.
    afterwards: Text,
}

/// One text in both languages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    en: String,
    zh: String,
}

/// What to do in the sender's console: the same steps in both languages. Or other sentences in both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    en: Vec<String>,
    zh: Vec<String>,
}

/// A request that was signed outside of this project.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// What made the signature: the sender's documentation or library, precisely enough to find it again; otherwise
    /// the implementation that did.
    from: String,
    /// `own`, if no outside implementation took part.
    proved_by: Option<ProvedBy>,
    secret: Option<String>,
    /// Instead of the secret.
    public_key: Option<String>,
    /// The signed timestamp in Unix seconds, if the scheme has one.
    signed_at: Option<i64>,
    /// The URL that was called, if the scheme signs it.
    url: Option<String>,
    headers: BTreeMap<String, String>,
    body: String,
    /// The facts of the event; left out if the body is not one.
    event: Option<ProofEvent>,
}

/// What signed a proof, if not another implementation.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum ProvedBy {
    Own,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofEvent {
    r#type: String,
    subject: Option<String>,
    id: Option<String>,
    time: Option<String>,
}

/// Milliseconds, written as `1500 ms`, `10 s`, `5 min` or `2 h`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Span(u64);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let millis = text.split_once(' ').and_then(|(number, unit)| {
            let unit = match unit {
                "ms" => 1,
                "s" => 1_000,
                "min" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
            number.parse::<u64>().ok()?.checked_mul(unit)
        });
        millis.map(Self).ok_or_else(|| format!("expected a duration such as 10 s or 5 min, got {text:?}"))
    }
}

/// A span, perhaps several times: `72 x 1 h`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Delay {
    times: usize,
    span: Span,
}

impl TryFrom<String> for Delay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some((times, span)) = text.split_once(" x ") else {
            return Ok(Self { times: 1, span: text.try_into()? });
        };
        let times = times.parse().map_err(|_| format!("expected a number before x, got {text:?}"))?;
        Ok(Self { times, span: span.to_owned().try_into()? })
    }
}

/// Statuses that acknowledge, written as `2xx` or `200`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Accepted {
    first: u16,
    last: u16,
}

impl TryFrom<String> for Accepted {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "2xx" {
            return Ok(Self { first: 200, last: 299 });
        }
        let status = text.parse().ok().filter(|status| (200..300).contains(status));
        status
            .map(|status| Self { first: status, last: status })
            .ok_or_else(|| format!("expected 2xx or one such status, got {text:?}"))
    }
}

/// What one file becomes: an element of each table.
pub struct Compiled {
    /// For every build: the scheme and the timeout.
    pub preset: String,
    /// For the feature `sender`: everything else.
    pub sender: String,
}

/// Compiles the text of one file. The error names the line, the field and what was expected of it.
pub fn compile(name: &str, text: &str) -> Result<Compiled, String> {
    let preset: Preset = toml::from_str(text).map_err(|error| located(text, &error))?;
    let fields = fields(&preset)?;
    let Preset { title, source, read, delivery, setup, uncertain, proof, .. } = preset;
    if setup.en.is_empty() || setup.en.len() != setup.zh.len() {
        return Err("setup: expected the same steps in en and zh".to_owned());
    }
    let uncertain = uncertain.unwrap_or(Setup { en: Vec::new(), zh: Vec::new() });
    if uncertain.en.len() != uncertain.zh.len() {
        return Err("uncertain: expected the same sentences in en and zh".to_owned());
    }
    let Delivery { timeout, accepted, retry_delays, afterwards } = delivery;
    let timeout = match timeout {
        Some(span) => format!("Some({})", duration(&span)),
        None => "None".to_owned(),
    };

    let preset = format!("Preset {{ name: {name:?}, timeout: {timeout}, fields: &[{fields}] }},\n");

    let delays =
        retry_delays.iter().flat_map(|delay| std::iter::repeat_n(duration(&delay.span), delay.times));
    let policy = format!(
        "DeliveryPolicy {{ timeout: {timeout}, accepted: {}..={}, retry_delays: &[{}], afterwards: {:?}, checks: {:?} }}",
        accepted.first,
        accepted.last,
        delays.collect::<Vec<_>>().join(", "),
        afterwards.en,
        if accepted.first == accepted.last {
            format!("status {}", accepted.first)
        } else {
            "status 2xx".into()
        },
    );
    let event = match proof.event {
        Some(ProofEvent { r#type: event_type, subject, id, time }) => format!(
            "Some(ProofEvent {{ event_type: {event_type:?}, subject: {subject:?}, id: {id:?}, time: {time:?} }})"
        ),
        None => "None".to_owned(),
    };
    let (key_field, key) = match (proof.secret, proof.public_key) {
        (Some(secret), None) => ("secret", secret),
        (None, Some(public_key)) => ("public_key", public_key),
        _ => return Err("proof: expected either secret or public_key".to_owned()),
    };
    let proof = format!(
        "Proof {{ from: {:?}, is_own: {}, key_field: {key_field:?}, key: {key:?}, signed_at: {:?}, url: {:?}, headers: &{:?}, body: {:?}, event: {event} }}",
        proof.from,
        proof.proved_by == Some(ProvedBy::Own),
        proof.signed_at,
        proof.url,
        proof.headers.iter().collect::<Vec<_>>(),
        proof.body,
    );
    let sender = format!(
        "Sender {{ name: {name:?}, title: {title:?}, source: {source:?}, read: \"{read}\", policy: {policy}, \
         afterwards: Bilingual {{ en: {:?}, zh: {:?} }}, setup: Bilingual {{ en: &{:?}, zh: &{:?} }}, \
         uncertain: Bilingual {{ en: &{:?}, zh: &{:?} }}, proof: {proof} }},\n",
        afterwards.en, afterwards.zh, setup.en, setup.zh, uncertain.en, uncertain.zh,
    );
    Ok(Compiled { preset, sender })
}

/// The fields of an entry that the preset sets.
fn fields(preset: &Preset) -> Result<String, String> {
    let error = |error: toml::ser::Error| error.to_string();
    let mut entry = toml::Table::try_from(&preset.scheme).map_err(error)?;
    entry.extend(toml::Table::try_from(&preset.event).map_err(error)?);
    let tables = [
        ("attributes", preset.attributes.as_ref().map(toml::Value::try_from)),
        ("type_override", preset.type_override.as_ref().map(toml::Value::try_from)),
        ("answer", preset.answer.as_ref().map(toml::Value::try_from)),
        ("handshake", Some(&preset.handshake).filter(|list| !list.is_empty()).map(toml::Value::try_from)),
    ];
    for (field, value) in tables {
        if let Some(value) = value {
            entry.insert(field.to_owned(), value.map_err(error)?);
        }
    }
    let fields = entry.iter().map(|(field, value)| Ok(format!("({field:?}, {})", literal(value)?)));
    Ok(fields.collect::<Result<Vec<_>, String>>()?.join(", "))
}

/// The expression of a `Field`.
fn literal(value: &toml::Value) -> Result<String, String> {
    Ok(match value {
        toml::Value::String(text) => format!("Field::Text({text:?})"),
        toml::Value::Integer(number) => format!("Field::Number({number})"),
        toml::Value::Boolean(is_set) => format!("Field::Bool({is_set})"),
        toml::Value::Array(list) => {
            let list = list.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
            format!("Field::List(&[{}])", list.join(", "))
        }
        toml::Value::Table(table) => {
            let members = table.iter().map(|(name, value)| Ok(format!("({name:?}, {})", literal(value)?)));
            let members = members.collect::<Result<Vec<_>, String>>()?;
            format!("Field::Table(&[{}])", members.join(", "))
        }
        other => return Err(format!("no field has a {}", other.type_str())),
    })
}

fn duration(Span(millis): &Span) -> String {
    format!("Duration::from_millis({millis})")
}

/// The message of a TOML error behind its line's number, and that line itself: for a wrong type only it names the field.
fn located(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return message };
    let number = before.matches('\n').count();
    let line = text.lines().nth(number).unwrap_or_default().trim();
    format!("line {}: {message} (in `{line}`)", number.saturating_add(1))
}

/// Compiles the folder, in the order of the names, into `schemes.rs` and `senders.rs`.
fn run() -> Result<(), String> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"));
    let (folder, out) = (variable("CARGO_MANIFEST_DIR")?.join("presets"), variable("OUT_DIR")?);
    let said = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());

    let entries = fs::read_dir(&folder).map_err(|error| said(&folder, &error))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();

    let (mut presets, mut senders) = ("&[\n".to_owned(), "&[\n".to_owned());
    for path in &paths {
        let text = fs::read_to_string(path).map_err(|error| said(path, &error))?;
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let compiled = compile(name, &text).map_err(|error| format!("presets/{name}.toml: {error}"))?;
        presets += &compiled.preset;
        senders += &compiled.sender;
    }
    for (file, table) in [("presets.rs", presets), ("senders.rs", senders)] {
        let file = out.join(file);
        fs::write(&file, table + "]\n").map_err(|error| said(&file, &error))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=presets");
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}
