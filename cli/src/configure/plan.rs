//! What a run of `letterbox configure` will do, before it does it.

use zeroize::Zeroizing;

use super::{credentials::Change, samconfig::SamConfig};

/// The largest value of a secret, in bytes
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>, read 2026-11-26).
pub const LARGEST_SECRET: usize = 65_536;

/// Everything that changes.
#[derive(Clone, Default)]
pub struct Plan {
    /// The secrets that are created or get a new version.
    pub secrets: Vec<SecretStep>,
    /// The stack's parameters, with their values.
    pub parameters: Vec<(String, Value)>,
}

/// The value of a parameter of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// This text.
    Text(String),
    /// The ARN of the secret of that name, which the plan creates.
    ArnOf(String),
}

/// One secret.
#[derive(Clone)]
pub struct SecretStep {
    /// The provider whose credentials it holds.
    pub provider: &'static str,
    /// Which secret.
    pub place: Place,
    /// Its new text.
    pub json: Zeroizing<String>,
    /// What becomes of each source.
    pub changes: Vec<(String, Change)>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It does not exist yet, and gets this name.
    New(String),
    /// Its ARN.
    Existing(String),
}

impl Plan {
    /// The file with the plan's parameters. `arn` returns the ARN of a secret that the plan created, by its name.
    pub fn apply(&self, config: &SamConfig, arn: impl Fn(&str) -> String) -> Result<SamConfig, String> {
        let mut config = config.clone();
        for (name, value) in &self.parameters {
            match value {
                Value::Text(text) => config.set_parameter(name, text)?,
                Value::ArnOf(secret) => config.set_parameter(name, &arn(secret))?,
            }
        }
        Ok(config)
    }

    /// What will be done, one sentence a line, without a secret. `file` is the name of the configuration file, `before`
    /// its content.
    pub fn lines(&self, file: &str, before: &SamConfig) -> Vec<String> {
        let mut lines: Vec<_> = self.secrets.iter().flat_map(SecretStep::lines).collect();
        for (name, value) in &self.parameters {
            let previous = before.parameter(name);
            match value {
                Value::Text(text) if previous.as_ref() == Some(text) => {}
                Value::Text(text) => lines.push(format!("{file}: set {name}={text}")),
                Value::ArnOf(secret) => lines.push(format!("{file}: set {name} to the ARN of {secret}")),
            }
        }
        lines
    }
}

impl SecretStep {
    fn lines(&self) -> Vec<String> {
        let first = match &self.place {
            Place::New(name) => format!("create the secret {name} with the credentials of {}", self.provider),
            Place::Existing(arn) => format!("update the secret {arn} of {}", self.provider),
        };
        let changes = self.changes.iter().filter_map(|(source, change)| {
            let about = match change {
                Change::None => return None,
                Change::Added => "added".to_owned(),
                Change::Completed(fields) => format!("{} added, everything else stays", fields.join(", ")),
                Change::Rotated => "the new entry first, the previous ones stay".to_owned(),
                Change::Replaced => {
                    "replaced: deliveries signed with the previous key will be refused".to_owned()
                }
            };
            Some(format!("  source {source}: {about}"))
        });
        std::iter::once(first).chain(changes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let step = |provider, place, changes| SecretStep {
            provider,
            place,
            json: Zeroizing::new("{\"default\":{\"secret\":\"hunter2\"}}".to_owned()),
            changes,
        };
        let changes = vec![
            ("acme".to_owned(), Change::None),
            ("default".to_owned(), Change::Rotated),
            ("other".to_owned(), Change::Completed(vec!["encrypt_key".to_owned()])),
        ];
        Plan {
            secrets: vec![
                step(
                    "github",
                    Place::New("hooks/github".to_owned()),
                    vec![("default".to_owned(), Change::Added)],
                ),
                step("feishu", Place::Existing("arn:x".to_owned()), changes),
            ],
            parameters: vec![
                ("Github".to_owned(), Value::ArnOf("hooks/github".to_owned())),
                ("Feishu".to_owned(), Value::Text("arn:x".to_owned())),
                ("Slack".to_owned(), Value::Text("off".to_owned())),
            ],
        }
    }

    #[test]
    fn a_plan_says_what_changes_and_no_secret() {
        let file = "[default.deploy.parameters]\nparameter_overrides = [\"Feishu=arn:x\"]\n";
        let before = SamConfig::parse(Some(file), "default").unwrap();
        assert_eq!(
            plan().lines("samconfig.toml", &before),
            [
                "create the secret hooks/github with the credentials of github",
                "  source default: added",
                "update the secret arn:x of feishu",
                "  source default: the new entry first, the previous ones stay",
                "  source other: encrypt_key added, everything else stays",
                "samconfig.toml: set Github to the ARN of hooks/github",
                "samconfig.toml: set Slack=off",
            ]
        );
    }

    #[test]
    fn the_file_gets_the_arns_of_created_secrets() {
        let before = SamConfig::parse(None, "default").unwrap();
        let after = plan().apply(&before, |name| format!("arn:of/{name}")).unwrap();
        let value = |name: &str| after.parameter(name).unwrap();
        assert_eq!(
            (value("Github"), value("Feishu"), value("Slack")),
            ("arn:of/hooks/github".into(), "arn:x".into(), "off".into())
        );
    }
}
