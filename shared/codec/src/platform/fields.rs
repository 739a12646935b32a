//! What only the person who sets up a webhook knows: the fields of a credentials entry that must be asked for.

use super::bilingual::Bilingual;

/// What to ask for a provider.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The platform's console; empty if each sender has its own.
    pub console: &'static str,
    /// What to ask, in this order.
    pub fields: &'static [Field],
    /// The URL of the platform's documentation that says where the answers are.
    pub source: &'static str,
    /// The date on which it was read, as `2026-01-31`; `None` if that was not recorded.
    pub read: Option<&'static str>,
}

/// One thing to ask.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field of the entry, or the name of the stack's parameter.
    pub name: &'static str,
    /// What the platform calls it.
    pub title: Bilingual<&'static str>,
    /// Where it is found, or what to choose.
    pub found: Bilingual<&'static str>,
    /// The form of the answer.
    pub form: AnswerForm,
    /// Whether there must be an answer.
    pub need: Need,
    /// True if it is a secret: hidden while it is typed, and never on a command line.
    pub is_secret: bool,
    /// The check of a parameter of the stack; `None` for a field of the entry, which the entry's own parser checks.
    pub parameter: Option<Check>,
}

/// Checks an answer. The error says what was expected.
pub type Check = fn(&str) -> Result<(), &'static str>;

/// The form of an answer.
#[derive(Clone, Copy, Debug)]
pub enum AnswerForm {
    /// A string.
    Line,
    /// One or more strings.
    List,
    /// A string of one line, or the content of a file, such as a PEM.
    LineOrFile,
    /// `true` or `false`; the default is `false`.
    Flag,
    /// One of these; the first is the default, which an entry leaves out.
    Choice(&'static [Choice]),
    /// An object from names to values.
    Table {
        /// What a name is.
        name: Bilingual<&'static str>,
        /// True if a value is the content of a file.
        of_files: bool,
    },
}

/// One of several answers.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The value in the entry.
    pub value: &'static str,
    /// When to choose it.
    pub about: Bilingual<&'static str>,
}

/// Whether there must be an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Yes.
    Required,
    /// Yes, and the empty string is one.
    RequiredOrEmpty,
    /// No: the entry then leaves it out.
    Optional,
}

impl Field {
    /// A secret that must be given, under the field `secret`.
    pub const fn secret(title: Bilingual<&'static str>, found: Bilingual<&'static str>) -> Self {
        Self::hidden("secret", title, found)
    }

    /// A secret that must be given.
    pub const fn hidden(
        name: &'static str,
        title: Bilingual<&'static str>,
        found: Bilingual<&'static str>,
    ) -> Self {
        Self { is_secret: true, ..Self::shown(name, title, found) }
    }

    /// A string that must be given and is no secret.
    pub const fn shown(
        name: &'static str,
        title: Bilingual<&'static str>,
        found: Bilingual<&'static str>,
    ) -> Self {
        let (form, need) = (AnswerForm::Line, Need::Required);
        Self { name, title, found, form, need, is_secret: false, parameter: None }
    }

    /// The same in another form.
    #[must_use]
    pub const fn with_form(self, form: AnswerForm) -> Self {
        Self { form, ..self }
    }

    /// A parameter of the stack, with its check.
    #[must_use]
    pub const fn as_parameter(self, check: Check) -> Self {
        Self { parameter: Some(check), ..self }
    }

    /// The same with another need.
    #[must_use]
    pub const fn with_need(self, need: Need) -> Self {
        Self { need, ..self }
    }
}

/// One of the senders that a provider serves, with what to ask for it.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The value of the field `preset`.
    pub name: &'static str,
    /// What the sender is called.
    pub title: &'static str,
    /// What to do in its console.
    pub steps: Bilingual<&'static [&'static str]>,
    /// What to ask.
    pub fields: Vec<Field>,
    /// A valid entry, as JSON: what is not answered yet is taken from it while an answer is checked.
    pub example: String,
    /// The URL of the documentation that the steps are from.
    pub source: &'static str,
    /// The date on which it was read.
    pub read: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Bilingual<&str> = Bilingual { en: "", zh: "" };

    #[test]
    fn a_field_is_a_required_line_that_is_shown_unless_it_says_otherwise() {
        let facts = |field: Field| {
            let Field { name, form, need, is_secret, parameter, .. } = field;
            (name, matches!(form, AnswerForm::Line), need, is_secret, parameter.is_some())
        };
        let shown = Field::shown("a", TEXT, TEXT);
        for (field, expected) in [
            (shown, ("a", true, Need::Required, false, false)),
            (Field::hidden("a", TEXT, TEXT), ("a", true, Need::Required, true, false)),
            (Field::secret(TEXT, TEXT), ("secret", true, Need::Required, true, false)),
            (shown.with_form(AnswerForm::Flag), ("a", false, Need::Required, false, false)),
            (shown.with_need(Need::Optional), ("a", true, Need::Optional, false, false)),
            (shown.as_parameter(|_| Ok(())), ("a", true, Need::Required, false, true)),
        ] {
            assert_eq!(facts(field), expected);
        }
    }
}
