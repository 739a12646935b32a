//! JSON for a reader.

/// The same text with a line for each member and element: what stands between the tokens is all that changes, so that
/// digits, escapes and order stay as they came. Ends soon after `limit` bytes, since what is nested grows. `None` of what
/// is no JSON.
pub fn indented(json: &str, limit: usize) -> Option<String> {
    serde_json::from_str::<&serde_json::value::RawValue>(json).ok()?;
    let mut out = String::new();
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    let is_space = |character: &char| matches!(character, ' ' | '\n' | '\r' | '\t');
    let mut tokens = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = tokens.next().filter(|_| out.len() <= limit) {
        if in_string {
            out.push(character);
            in_string = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
            continue;
        }
        match character {
            space if is_space(&space) => {}
            '"' => {
                in_string = true;
                out.push(character);
            }
            '{' | '[' => {
                out.push(character);
                while tokens.next_if(is_space).is_some() {}
                if let Some(end) = tokens.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_changes() {
        for (given, expected) in [
            ("{}", "{}"),
            ("{ \n }", "{}"),
            ("[1.50,-0,1e400]", "[\n  1.50,\n  -0,\n  1e400\n]"),
            (
                r#"{"a":{"b":[]},"a":"x, {y}: \"\\"}"#,
                "{\n  \"a\": {\n    \"b\": []\n  },\n  \"a\": \"x, {y}: \\\"\\\\\"\n}",
            ),
            (" \"\\u4e2d\u{7f} \" ", "\"\\u4e2d\u{7f} \""),
            ("12345678901234567890123", "12345678901234567890123"),
        ] {
            assert_eq!(indented(given, 1000).as_deref(), Some(expected), "{given}");
        }
        for bad in ["", "{", "{}{}", "nul", "{'a':1}"] {
            assert_eq!(indented(bad, 1000), None, "{bad}");
        }
        assert!(indented(&format!("[{}1]", "[1],".repeat(1000)), 50).unwrap().len() < 100);
    }
}
