//! Access tokens, which are valid for two hours and must not be fetched for each call.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use letterbox_codec::{Secret, Timestamp};

/// A token, and when it is to be fetched again.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub secret: Secret,
    /// Fetch another from then on.
    pub until: Timestamp,
}

impl Token {
    /// A token of an answer. `None` if the text cannot be one; the error must not contain it.
    pub fn new(text: String, seconds: i64, now: Timestamp) -> Option<Self> {
        let is_plain = (1..=4096).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let secret = Secret::new(text).ok().filter(|_| is_plain)?;
        // A tenth before its end.
        let lifetime = seconds.clamp(0, 7200).saturating_mul(900);
        Some(Self { secret, until: Timestamp(now.0.saturating_add(lifetime)) })
    }
}

/// The tokens of this process. Runs share them.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<String, Token>>);

impl Tokens {
    fn tokens(&self) -> MutexGuard<'_, HashMap<String, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token of an application, if it is still valid.
    pub fn get(&self, application: &str, now: Timestamp) -> Option<Secret> {
        let tokens = self.tokens();
        tokens.get(application).filter(|token| token.until > now).map(|token| token.secret.clone())
    }

    /// Stores a token.
    pub fn set(&self, application: &str, token: Token) {
        self.tokens().insert(application.to_owned(), token);
    }

    /// Forgets a token that the platform does not accept any more, unless another has taken its place.
    pub fn forget(&self, application: &str, token: &Secret) {
        let mut tokens = self.tokens();
        if tokens.get(application).is_some_and(|known| known.secret.matches(token.expose())) {
            tokens.remove(application);
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_until_a_tenth_before_its_end() {
        let tokens = Tokens::default();
        let now = Timestamp(1000);
        tokens.set("a", Token::new("t1".into(), 7200, now).unwrap());
        let get = |name, at| tokens.get(name, Timestamp(at)).map(|secret| secret.expose().to_owned());
        assert_eq!(get("a", 1000 + 6_479_999).as_deref(), Some("t1"));
        assert_eq!(get("a", 1000 + 6_480_000), None);
        assert_eq!(get("b", 1000), None);
    }

    #[test]
    fn only_the_token_that_failed_is_forgotten() {
        let tokens = Tokens::default();
        let now = Timestamp(0);
        let [old, new] = ["t1", "t2"].map(|text| Token::new(text.into(), 7200, now).unwrap());
        tokens.set("a", new.clone());
        tokens.forget("a", &old.secret);
        assert!(tokens.get("a", now).is_some());
        tokens.forget("a", &new.secret);
        assert!(tokens.get("a", now).is_none());
        assert_eq!(
            format!("{tokens:?} {new:?}"),
            "Tokens(..) Token { secret: Secret(..), until: Timestamp(6480000) }"
        );
    }

    #[test]
    fn what_cannot_stand_in_a_url_is_no_token() {
        for text in ["", " ", "a b", "a\r\nb", "中"] {
            assert!(Token::new(text.into(), 7200, Timestamp(0)).is_none(), "{text:?}");
        }
        assert!(Token::new("x".repeat(4097), 7200, Timestamp(0)).is_none());
        // Of a lifetime that is none, it is used once.
        assert_eq!(Token::new("a".into(), -5, Timestamp(7)).unwrap().until, Timestamp(7));
    }
}
