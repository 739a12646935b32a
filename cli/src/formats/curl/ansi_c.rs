//! `$'...'`, in which browsers copy bodies with quotes or line breaks; `shell-words` knows only POSIX.

use std::{iter::Peekable, str::Chars};

/// Escapes of one character, and what they stand for.
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

/// Turns every `$'...'` into a text in plain quotes that means the same.
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

/// The text up to the closing quote.
fn text(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match rest.next() {
            None => return Err("expected a command for bash: a quote is not closed".into()),
            Some('\'') => return Ok(text),
            Some('\\') => text.push(escape(rest)?),
            Some(character) => text.push(character),
        }
    }
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let letter = rest.next().unwrap_or('\\');
    if let Some((_, character)) = ESCAPES.iter().find(|(known, _)| *known == letter) {
        return Ok(*character);
    }
    let (radix, most, mut digits) = match letter {
        'x' => (16, 2, String::new()),
        'u' => (16, 4, String::new()),
        'U' => (16, 8, String::new()),
        '0'..='7' => (8, 3, String::from(letter)),
        other => return Err(format!("$'...': unknown escape {other:?}")),
    };
    while digits.len() < most {
        let Some(digit) = rest.next_if(|next| next.is_digit(radix)) else { break };
        digits.push(digit);
    }
    // Beyond ASCII `\x` and octal name single bytes, of which no text may be left.
    let number = u32::from_str_radix(&digits, radix).ok().filter(|number| most > 3 || *number < 0x80);
    number.and_then(char::from_u32).ok_or_else(|| {
        "$'...': an escape names no character; save the body to a file and use --data-binary @file".to_owned()
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
            (r"$'\u4e2d\x41\101\t.'", Ok("'中AA\t.'")),
            (r"$'\xff'", Err(())),
            (r"$'\ud800'", Err(())),
            (r"$'\q'", Err(())),
            (r"$'a", Err(())),
        ] {
            assert_eq!(translate(given).as_deref().map_err(|_| ()), expected, "{given}");
        }
    }
}
