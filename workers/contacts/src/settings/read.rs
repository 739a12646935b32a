//! The credentials JSON.

use std::{borrow::Cow, collections::BTreeSet};

use letterbox_codec::{
    Secret,
    base64::{self, STANDARD},
    credentials::{self, FieldError, is_source_name, syntax_error, without_byte_order_mark},
    json::Object,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Corp, Corps, CorpsError, DingTalk, Guard, HashKey, WeCom};

/// A corp as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dingtalk: DingTalkEntry,
    wecom: WeComEntry,
    hash_key: Secret,
    #[serde(default)]
    departments: Vec<i64>,
    #[serde(default)]
    skip_departments: Vec<i64>,
    #[serde(default)]
    roles: bool,
    managers: Option<bool>,
    #[serde(default)]
    invite: bool,
    #[serde(default)]
    adopt: bool,
    delete_after_days: Option<u32>,
    #[serde(default)]
    guard: GuardEntry,
    dingtalk_per_second: Option<u32>,
    #[serde(default)]
    base_urls: Urls,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DingTalkEntry {
    corp_id: String,
    client_id: String,
    client_secret: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeComEntry {
    corp_id: String,
    secret: Secret,
    reader_secret: Option<Secret>,
    root: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardEntry {
    count: Option<u32>,
    percent: Option<u32>,
}

/// For tests, and for proxies that end TLS.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Urls {
    dingtalk: Option<String>,
    dingtalk_legacy: Option<String>,
    wecom: Option<String>,
}

fn field(name: &str, expected: &str) -> FieldError {
    FieldError { field: Some(name.to_owned()), reason: format!("expected {expected}") }
}

impl Corps {
    /// Parses `{"<corp>": {"dingtalk": {…}, "wecom": {…}, "hash_key": "…", …}}`. A byte order mark is skipped.
    pub fn parse(json: &str) -> Result<Self, CorpsError> {
        let json = without_byte_order_mark(json);
        let object = Object::parse(json).map_err(|_| {
            let found = serde_json::from_str::<&RawValue>(json).err().filter(|_| !json.trim().is_empty());
            found.map_or(CorpsError::NotAnObject, |found| CorpsError::Syntax(syntax_error(json, &found)))
        })?;
        let mut corps = Vec::new();
        for (name, value) in object.members().map_err(|_| CorpsError::NotAnObject)? {
            if !is_source_name(&name) {
                return Err(CorpsError::Name(name.chars().take(64).collect()));
            }
            match corp(&name, value.get()) {
                Ok(corp) => corps.push(corp),
                Err(error) => return Err(CorpsError::Corp { name, error }),
            }
        }
        corps.sort_by(|one: &Corp, other| one.name.cmp(&other.name));
        let mut ids = BTreeSet::new();
        for corp in &corps {
            let is_new = ids.insert(("dingtalk", &corp.dingtalk.corp_id))
                && ids.insert(("wecom", &corp.wecom.corp_id));
            if !is_new {
                return Err(CorpsError::Twice(corp.name.clone()));
            }
        }
        if corps.is_empty() { Err(CorpsError::Empty) } else { Ok(Self(corps)) }
    }

    /// Parses credentials from bytes, which must be UTF-8.
    pub fn read(json: &[u8]) -> Result<Self, CorpsError> {
        Self::parse(std::str::from_utf8(json).map_err(|_| CorpsError::NotUtf8)?)
    }
}

fn corp(name: &str, json: &str) -> Result<Corp, FieldError> {
    if !json.starts_with('{') {
        return Err(FieldError { field: None, reason: "expected a JSON object".to_owned() });
    }
    credentials::unique(json)?;
    let entry: Entry = credentials::read(&mut serde_json::Deserializer::from_str(json))?;
    let key = base64::decode(&STANDARD, entry.hash_key.expose())
        .map_err(|wrong| field("hash_key", &format!("32 bytes in base64{wrong}")))?;
    let key = key
        .try_into()
        .map_err(|_| field("hash_key", "32 bytes in base64, such as `openssl rand -base64 32` prints"))?;
    for (path, id) in [
        ("dingtalk.corp_id", &entry.dingtalk.corp_id),
        ("dingtalk.client_id", &entry.dingtalk.client_id),
        ("wecom.corp_id", &entry.wecom.corp_id),
    ] {
        if !is_id(id) {
            return Err(field(path, "an id of at most 128 letters, digits, `-` or `_`"));
        }
    }
    let root = entry.wecom.root.unwrap_or(1);
    if root < 1 {
        return Err(field("wecom.root", "the id of a department of WeCom, 1 for the company itself"));
    }
    for (path, ids) in [("departments", &entry.departments), ("skip_departments", &entry.skip_departments)] {
        if ids.iter().any(|id| *id < 1) || ids.len() > 1000 {
            return Err(field(path, "at most 1000 ids of DingTalk's departments"));
        }
    }
    if entry.delete_after_days.is_some_and(|days| !(1..=3650).contains(&days)) {
        return Err(field("delete_after_days", "1 to 3650 days, or null to delete nobody"));
    }
    let guard = Guard {
        count: entry.guard.count.unwrap_or(Guard::DEFAULT.count),
        percent: entry.guard.percent.unwrap_or(Guard::DEFAULT.percent),
    };
    if guard.percent > 100 {
        return Err(field("guard.percent", "0 to 100"));
    }
    let per_second = entry.dingtalk_per_second.unwrap_or(20);
    if !(1..=1000).contains(&per_second) {
        return Err(field("dingtalk_per_second", "1 to 1000 calls: 20, or 60 with a package"));
    }
    Ok(Corp {
        name: name.to_owned(),
        dingtalk: DingTalk {
            corp_id: entry.dingtalk.corp_id,
            client_id: entry.dingtalk.client_id,
            client_secret: entry.dingtalk.client_secret,
            per_second,
            legacy_url: base(
                "base_urls.dingtalk_legacy",
                entry.base_urls.dingtalk_legacy,
                "https://oapi.dingtalk.com",
            )?,
            url: base("base_urls.dingtalk", entry.base_urls.dingtalk, "https://api.dingtalk.com")?,
        },
        wecom: WeCom {
            corp_id: entry.wecom.corp_id,
            secret: entry.wecom.secret,
            reader_secret: entry.wecom.reader_secret,
            root,
            url: base("base_urls.wecom", entry.base_urls.wecom, "https://qyapi.weixin.qq.com")?,
        },
        hash_key: HashKey(key),
        departments: entry.departments,
        skip_departments: entry.skip_departments,
        roles: entry.roles,
        managers: entry.managers.unwrap_or(true),
        invite: entry.invite,
        adopt: entry.adopt,
        delete_after_days: entry.delete_after_days,
        guard,
    })
}

/// An id that stands in URLs.
fn is_id(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(word)
}

/// The base URL of an API. Plain HTTP is for servers on this machine, such as those of tests.
fn base(path: &str, url: Option<String>, default: &'static str) -> Result<Cow<'static, str>, FieldError> {
    let Some(url) = url else { return Ok(Cow::Borrowed(default)) };
    let url = url.trim_end_matches('/').to_owned();
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['?', '#', '@', '"']);
    let local = ["http://127.0.0.1:", "http://localhost:"];
    let is_known = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        || local.iter().any(|start| url.starts_with(start));
    if is_plain && is_known {
        Ok(Cow::Owned(url))
    } else {
        Err(field(path, "the base URL of the API, with https"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn minimal(more: &str) -> String {
        format!(
            r#"{{"acme":{{"dingtalk":{{"corp_id":"ding1","client_id":"key","client_secret":"hunter2"}},
            "wecom":{{"corp_id":"ww1","secret":"hunter3"}},"hash_key":"{KEY}"{more}}}}}"#
        )
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let corps = Corps::parse(&minimal("")).unwrap();
        let corp = corps.of_dingtalk("ding1").unwrap();
        assert_eq!(
            (corp.name.as_str(), corp.wecom.root, corp.guard),
            ("acme", 1, Guard { count: 10, percent: 5 })
        );
        assert_eq!(
            (corp.roles, corp.invite, corp.adopt, corp.delete_after_days),
            (false, false, false, None)
        );
        assert_eq!((corp.dingtalk.per_second, &*corp.dingtalk.legacy_url), (20, "https://oapi.dingtalk.com"));
        assert_eq!(corp.hash_key.0[31], 31);
        let printed = format!("{corps:?}");
        assert!(!printed.contains("hunter") && !printed.contains("31"), "{printed}");
    }

    #[test]
    fn everything_can_be_set() {
        let corps = Corps::parse(&minimal(
            r#","departments":[5],"skip_departments":[7],"roles":true,"managers":false,"invite":true,"adopt":true,"delete_after_days":30,
            "guard":{"count":3},"dingtalk_per_second":60,"base_urls":{"wecom":"http://127.0.0.1:9/"}"#,
        ))
        .unwrap();
        let corp = corps.named("acme").unwrap();
        assert_eq!((&corp.departments[..], &corp.skip_departments[..]), (&[5][..], &[7][..]));
        assert!(corp.roles && corp.invite && corp.adopt && !corp.managers);
        assert_eq!((corp.delete_after_days, corp.guard), (Some(30), Guard { count: 3, percent: 5 }));
        assert_eq!((corp.dingtalk.per_second, &*corp.wecom.url), (60, "http://127.0.0.1:9"));
    }

    #[test]
    fn errors_name_the_corp_and_the_field_and_no_value() {
        let other = minimal("").replace("acme", "other");
        let twice = format!("{},{}", minimal("").trim_end_matches('}'), other.trim_start_matches('{'));
        let twice = twice.replacen(&format!("{KEY}\""), &format!("{KEY}\"}}"), 1);
        for (json, expected) in [
            (String::new(), "expected a JSON object of corps"),
            ("{".into(), "line 1, column "),
            ("{}".into(), "expected at least one corp"),
            (r#"{"a b":{}}"#.into(), r#"corp "a b": expected a name"#),
            (r#"{"acme":"hunter2"}"#.into(), r#"corp "acme": expected a JSON object"#),
            (minimal(r#","color":"hunter2""#), r#"corp "acme": color: "#),
            (minimal(r#","guard":{"size":1}"#), r#"corp "acme": guard.size: "#),
            (minimal(r#","guard":{"percent":101}"#), "guard.percent: expected 0 to 100"),
            (minimal(r#","roles":true,"roles":false"#), "roles: expected to appear only once"),
            (minimal(r#","departments":[0]"#), "departments: expected at most 1000 ids"),
            (minimal(r#","delete_after_days":0"#), "delete_after_days: expected 1 to 3650 days"),
            (minimal(r#","dingtalk_per_second":0"#), "dingtalk_per_second: expected 1 to 1000"),
            (minimal(r#","base_urls":{"wecom":"http://hunter2"}"#), "base_urls.wecom: expected the base URL"),
            (minimal("").replace(KEY, "aHVudGVyMg=="), "hash_key: expected 32 bytes in base64"),
            (minimal("").replace("\"ww1\"", "\"hunter 2\""), "wecom.corp_id: expected an id"),
            (
                minimal("").replace(r#""secret":"hunter3""#, r#""secret":"hunter3","root":0"#),
                "wecom.root: expected",
            ),
            (twice, r#"corp "other": expected each directory"#),
        ] {
            let error = Corps::parse(&json).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
