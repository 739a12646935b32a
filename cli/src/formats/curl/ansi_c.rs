//! Translates `$'...'`, which browsers write for bodies with quotes or line breaks, and `"$(printf '...')"`, which
//! `letterbox sign` writes for words with invisible characters. `shell-words` supports neither.
//!
//! A command is processed as a string with one character (U+0000 to U+00FF) per byte, because its words may not be UTF-8.

use std::{iter::Peekable, str::Chars};

use crate::shell::PRINTF;

/// Escapes of one character, and the characters that they mean.
const ESCAPES: [(char, char); 14] = [
    ('n', '\n'),
    ('r', '\r'),
    ('t', '\t'),
    ('a', '\u{7}'),
    ('b', '\u{8}'),
    ('e', '\u{1b}'),
    ('E', '\u{1b}'),
    ('f', '\u{c}'),
    ('v', '\u{b}'),
    ('\\', '\\'),
    ('\'', '\''),
    ('"', '"'),
    ('?', '?'),
    ('\n', '\n'),
];

/// Decodes bytes into a string with one character per byte.
pub fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes of a string that has one character per byte.
pub fn to_bytes(text: &str) -> Vec<u8> {
    text.chars().filter_map(|character| u8::try_from(character).ok()).collect()
}

/// Replaces every `$'...'` and `"$(printf '...')"` by an equivalent string in single quotes.
pub fn translate(command: &str) -> Result<String, String> {
    let mut out = String::with_capacity(command.len());
    let mut rest = command.chars().peekable();
    let mut quote = None;
    while let Some(character) = rest.next() {
        match (quote, character) {
            (None, '$') if rest.next_if_eq(&'\'').is_some() => {
                out += &shell_words::quote(&text(&mut rest)?);
                continue;
            }
            (None, '"') if starts_with(&rest, &PRINTF[0][1..]) => {
                rest.by_ref().take(PRINTF[0].len() - 1).for_each(drop);
                out += &shell_words::quote(&printf(&mut rest)?);
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None | Some('"'), '\\') => {
                out.push(character);
                out.extend(rest.next());
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    Ok(out)
}

fn starts_with(rest: &Peekable<Chars<'_>>, text: &str) -> bool {
    let mut rest = rest.clone();
    text.chars().all(|character| rest.next() == Some(character))
}

/// Reads the format up to its end. Its only escapes are octal ones of three digits.
fn printf(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let unknown =
        || "\"$(...)\": commands in a substitution are not run; replace it by its output".to_owned();
    let mut text = String::new();
    while !starts_with(rest, PRINTF[1]) {
        match rest.next() {
            None | Some('%' | '\'') => return Err(unknown()),
            Some('\\') => {
                let digits: String = rest.by_ref().take(3).collect();
                let byte = u8::from_str_radix(&digits, 8).ok().filter(|_| digits.len() == 3);
                text.push(byte.map(char::from).ok_or_else(unknown)?);
            }
            Some(character) => text.push(character),
        }
    }
    rest.by_ref().take(PRINTF[1].len()).for_each(drop);
    Ok(text)
}

/// Reads the string up to the closing quote.
fn text(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match rest.next() {
            None => return Err("expected a command for bash: a quote is not closed".into()),
            Some('\'') => return Ok(text),
            Some('\\') => text += &escape(rest)?,
            Some(character) => text.push(character),
        }
    }
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let escaped = rest.next().unwrap_or('\\');
    if let Some((_, character)) = ESCAPES.iter().find(|(known, _)| *known == escaped) {
        return Ok(character.to_string());
    }
    let (radix, most, mut digits) = match escaped {
        'x' => (16, 2, String::new()),
        'u' => (16, 4, String::new()),
        'U' => (16, 8, String::new()),
        '0'..='7' => (8, 3, String::from(escaped)),
        other => return Err(format!("$'...': unknown escape {other:?}")),
    };
    while digits.len() < most {
        let Some(digit) = rest.next_if(|next| next.is_digit(radix)) else { break };
        digits.push(digit);
    }
    let number = u32::from_str_radix(&digits, radix).ok();
    let character = if most > 3 {
        number.and_then(char::from_u32).map(|character| from_bytes(character.to_string().as_bytes()))
    } else {
        // `\x` and octal name single bytes.
        number.and_then(|number| u8::try_from(number).ok()).map(|byte| char::from(byte).to_string())
    };
    character.ok_or_else(|| {
        "$'...': an escape is not a valid character; save the body to a file and use --data-binary @file"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn only_dollar_quotes_are_translated() {
        for (given, expected) in [
            (r"a 'b' c", Ok(r"a 'b' c")),
            (r"a $'b\'c'", Ok(r"a 'b'\''c'")),
            (r#""$'x'" '$' \$'y'"#, Ok(r#""$'x'" '$' \$'y'"#)),
            (r"$'\u4e2d\x41\101\t.'", Ok("'\u{e4}\u{b8}\u{ad}AA\t.'")),
            (r"$'\xff '", Ok("'\u{ff} '")),
            (r#""$(printf 'a: \351\047b')" c"#, Ok("'a: \u{e9}'\\''b' c")),
            (r#"'"$(printf '"#, Ok(r#"'"$(printf '"#)),
            (r#""$(printf '%s' a)""#, Err(())),
            (r#""$(printf '\47')""#, Err(())),
            (r#""$(printf 'a"#, Err(())),
            (r"$'\ud800'", Err(())),
            (r"$'\q'", Err(())),
            (r"$'a", Err(())),
        ] {
            assert_eq!(translate(given).as_deref().map_err(|_| ()), expected, "{given}");
        }
    }
}
