//! `samconfig.toml`: reads what the SAM CLI would use, and changes only what was chosen. Comments and layout stay.

use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// A new file: what a deployment needs besides the parameters.
const NEW: &str = "version = 0.1

[default.deploy.parameters]
resolve_s3 = true
capabilities = [\"CAPABILITY_IAM\", \"CAPABILITY_AUTO_EXPAND\"]
confirm_changeset = true
";

const OVERRIDES: &str = "parameter_overrides";

/// A configuration file, and the environment in it that counts.
#[derive(Clone, Debug)]
pub struct SamConfig {
    document: DocumentMut,
    environment: String,
}

impl SamConfig {
    /// Parses the file's text; without one, it is a new file. The error says where it is wrong.
    pub fn parse(text: Option<&str>, environment: &str) -> Result<Self, String> {
        let text = text.map_or_else(|| NEW.replace("[default.", &format!("[{environment}.")), str::to_owned);
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            format!("line {line}: {}", error.message())
        })?;
        let config = Self { document, environment: environment.to_owned() };
        config.overrides()?;
        Ok(config)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// A text that `sam deploy` would use, such as `stack_name`: its own, or else that for all commands.
    pub fn get(&self, name: &str) -> Option<&str> {
        ["deploy", "global"].into_iter().find_map(|command| {
            self.document.get(&self.environment)?.get(command)?.get("parameters")?.get(name)?.as_str()
        })
    }

    /// Sets a text for `sam deploy`, unless it has that value already.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if self.get(name) != Some(value) {
            self.parameters()?.insert(name, toml_edit::value(value));
        }
        Ok(())
    }

    /// The parameters of the stack that the file sets, in order.
    pub fn overrides(&self) -> Result<Vec<(String, String)>, String> {
        let item = ["deploy", "global"].into_iter().find_map(|command| {
            self.document.get(&self.environment)?.get(command)?.get("parameters")?.get(OVERRIDES)
        });
        item.map_or_else(|| Ok(Vec::new()), pairs)
    }

    /// The value that the file sets for a parameter of the stack.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let overrides = self.overrides().ok()?;
        overrides.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Sets a parameter of the stack, unless it has that value already.
    pub fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), String> {
        if self.parameter(name).as_deref() == Some(value) {
            return Ok(());
        }
        let mut pairs = self.overrides()?;
        let parameters = self.parameters()?;
        let item = parameters.entry(OVERRIDES).or_insert_with(|| toml_edit::value(Array::new()));
        if let Some(list) = item.as_array_mut() {
            set_in_list(list, name, value);
            return Ok(());
        }
        pairs.retain(|(key, _)| key != name);
        pairs.push((name.to_owned(), value.to_owned()));
        let text: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
        let mut replaced = Value::from(text.join(" "));
        if let Some(present) = item.as_value() {
            *replaced.decor_mut() = present.decor().clone();
        }
        *item = Item::Value(replaced);
        Ok(())
    }

    /// The table of `sam deploy`; it is created if it is not there.
    fn parameters(&mut self) -> Result<&mut Table, String> {
        let path = [self.environment.as_str(), "deploy", "parameters"];
        let mut table = self.document.as_table_mut();
        for (position, name) in path.iter().enumerate() {
            let item = table.entry(name).or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(position < 2);
                Item::Table(table)
            });
            table = item.as_table_mut().ok_or_else(|| {
                format!("expected a table [{}], not an inline one", path[..=position].join("."))
            })?;
        }
        Ok(table)
    }
}

/// The pairs in either form that SAM accepts: one string, or a list of strings.
fn pairs(item: &Item) -> Result<Vec<(String, String)>, String> {
    const EXPECTED: &str = "parameter_overrides: expected a string such as \"Name=value Other=value\", or a list of such strings";
    let words = match (item.as_str(), item.as_array()) {
        (Some(text), _) => shell_words::split(text).map_err(|_| EXPECTED.to_owned())?,
        (None, Some(list)) => {
            let mut words = Vec::new();
            for value in list {
                words.extend(shell_words::split(value.as_str().ok_or(EXPECTED)?).map_err(|_| EXPECTED)?);
            }
            words
        }
        (None, None) => return Err(EXPECTED.to_owned()),
    };
    words.iter().map(|word| pair(word).ok_or_else(|| EXPECTED.to_owned())).collect()
}

/// `Name=value`, or `CloudFormation`'s `ParameterKey=Name,ParameterValue=value`.
fn pair(word: &str) -> Option<(String, String)> {
    let long = word.strip_prefix("ParameterKey=").and_then(|rest| rest.split_once(",ParameterValue="));
    let (name, value) = long.or_else(|| word.split_once('='))?;
    Some((name.to_owned(), value.to_owned()))
}

/// As `sam deploy --guided` writes it.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Replaces the element of that name, or appends one on a line of its own.
fn set_in_list(list: &mut Array, name: &str, value: &str) {
    // A list has one value per element, whose spaces SAM would split.
    let text = if value.contains([' ', '"', '\\']) { quoted(value) } else { value.to_owned() };
    let text = format!("{name}={text}");
    let is_of = |element: &Value| {
        let words = element.as_str().and_then(|text| shell_words::split(text).ok()).unwrap_or_default();
        matches!(&words[..], [word] if pair(word).is_some_and(|(key, _)| key == name))
    };
    if let Some(element) = list.iter_mut().find(|element| is_of(element)) {
        let mut replaced = Value::from(text);
        *replaced.decor_mut() = element.decor().clone();
        *element = replaced;
        return;
    }
    let mut element = Value::from(text);
    element.decor_mut().set_prefix("\n  ");
    list.push_formatted(element);
    list.set_trailing_comma(true);
    if list.trailing().as_str().is_none_or(|text| !text.contains('\n')) {
        list.set_trailing("\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Ours
version = 0.1

[default.deploy.parameters]
stack_name = \"letterbox\"  # not for all commands
confirm_changeset = true

[ci.deploy.parameters]
stack_name = \"other\"
";

    #[test]
    fn only_what_was_chosen_changes() {
        let mut config = SamConfig::parse(Some(FILE), "default").unwrap();
        assert_eq!(config.get("stack_name"), Some("letterbox"));
        config.set("stack_name", "letterbox").unwrap();
        assert_eq!(config.text(), FILE);
        config.set("region", "us-east-1").unwrap();
        config.set_parameter("Github", "generate").unwrap();
        config.set_parameter("Slack", "off").unwrap();
        let expected = FILE.replace(
            "confirm_changeset = true\n",
            "confirm_changeset = true\nregion = \"us-east-1\"\nparameter_overrides = [\n  \"Github=generate\",\n  \"Slack=off\",\n]\n",
        );
        assert_eq!(config.text(), expected);
        config.set_parameter("Github", "off").unwrap();
        assert_eq!(config.text(), expected.replace("Github=generate", "Github=off"));
        assert_eq!(config.parameter("Slack").as_deref(), Some("off"));
        assert_eq!(SamConfig::parse(Some(FILE), "ci").unwrap().get("stack_name"), Some("other"));
    }

    #[test]
    fn the_forms_that_sam_accepts_are_read_and_kept() {
        for (written, expected) in [
            (
                "parameter_overrides = \"Github=\\\"off\\\" Alarms=\\\"a b\\\"\" # ours",
                "parameter_overrides = \"Github=\\\"off\\\" Alarms=\\\"a b\\\" Slack=\\\"arn:x\\\"\" # ours",
            ),
            (
                "parameter_overrides = \"ParameterKey=Github,ParameterValue=off\"",
                "parameter_overrides = \"Github=\\\"off\\\" Slack=\\\"arn:x\\\"\"",
            ),
            (
                "parameter_overrides = [\n  # why\n  \"Github=off\",\n]",
                "parameter_overrides = [\n  # why\n  \"Github=off\",\n  \"Slack=arn:x\",\n]",
            ),
        ] {
            let text = |line: &str| format!("version = 0.1\n[default.deploy.parameters]\n{line}\n");
            let mut config = SamConfig::parse(Some(&text(written)), "default").unwrap();
            assert_eq!(config.parameter("Github").as_deref(), Some("off"), "{written}");
            config.set_parameter("Slack", "arn:x").unwrap();
            let parsed: DocumentMut = config.text().parse().unwrap();
            assert_eq!(config.text().replace('\'', "\""), config.text().replace('\'', "\""));
            let wanted: DocumentMut = text(expected).parse().unwrap();
            let of = |document: &DocumentMut| {
                document["default"]["deploy"]["parameters"][OVERRIDES].to_string().replace('\'', "\"")
            };
            assert_eq!(
                parsed["default"]["deploy"]["parameters"][OVERRIDES].as_str(),
                wanted["default"]["deploy"]["parameters"][OVERRIDES].as_str()
            );
            assert_eq!(of(&parsed).contains("# why"), of(&wanted).contains("# why"));
            assert_eq!(config.parameter("Slack").as_deref(), Some("arn:x"));
            let before = config.text();
            config.set_parameter("Slack", "arn:x").unwrap();
            assert_eq!(config.text(), before);
        }
    }

    #[test]
    fn a_new_file_has_what_a_deployment_needs() {
        let mut config = SamConfig::parse(None, "ci").unwrap();
        config.set("stack_name", "hooks").unwrap();
        let text = config.text();
        assert!(text.contains("[ci.deploy.parameters]\n") && text.contains("CAPABILITY_IAM"), "{text}");
        assert!(text.ends_with("stack_name = \"hooks\"\n"), "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_reported_with_its_place() {
        let of = |text: &str| SamConfig::parse(Some(text), "default").map(drop).unwrap_err();
        assert!(of("version = 0.1\n[default\n").starts_with("line 2: "));
        for value in ["5", "[5]", "\"Github\"", "\"Github='off\""] {
            let text = format!("[default.deploy.parameters]\nparameter_overrides = {value}\n");
            assert!(of(&text).starts_with("parameter_overrides: expected a string"), "{value}");
        }
        let mut inline = SamConfig::parse(Some("default = {}\n"), "default").unwrap();
        assert_eq!(inline.set("region", "x").unwrap_err(), "expected a table [default], not an inline one");
    }
}
