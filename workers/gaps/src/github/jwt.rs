//! The token with which an app authorizes its requests.
//!
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//! (read 2026-11-27): RS256, valid for at most 10 minutes; `iat` a minute back, in case that the clocks differ.

use std::fmt;

use josekit::{
    jws::{JwsHeader, RS256, alg::rsassa::RsassaJwsSigner},
    jwt::{self, JwtPayload},
};
use letterbox_codec::{Secret, Timestamp};

/// Before now, in seconds.
const CLOCK: u64 = 60;

/// How long a token is valid, in seconds.
const LIFETIME: u64 = 540;

/// An app's id and private key.
pub struct AppKey {
    app: String,
    signer: RsassaJwsSigner,
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppKey({})", self.app)
    }
}

impl AppKey {
    /// Reads the private key, a PEM text. The error says what was expected, and nothing of the text.
    pub fn new(app: &str, pem: &Secret) -> Result<Self, &'static str> {
        let signer = RS256.signer_from_pem(pem.expose());
        let signer = signer.map_err(|_| "the app's private key, an RSA key as a PEM text")?;
        Ok(Self { app: app.to_owned(), signer })
    }

    /// A token for requests from now on.
    pub fn token(&self, now: Timestamp) -> Result<Secret, String> {
        let seconds = u64::try_from(now.0.div_euclid(1000)).unwrap_or_default();
        let mut header = JwsHeader::new();
        header.set_token_type("JWT");
        let mut payload = JwtPayload::new();
        payload.set_issuer(&self.app);
        // Not by the setters for times, which write fractions: GitHub accepts only whole numbers.
        for (name, time) in
            [("iat", seconds.saturating_sub(CLOCK)), ("exp", seconds.saturating_add(LIFETIME))]
        {
            payload.set_claim(name, Some(time.into())).map_err(|error| error.to_string())?;
        }
        let token = jwt::encode_with_signer(&payload, &header, &self.signer);
        let token = token.map_err(|error| format!("the app's token cannot be signed: {error}"))?;
        Secret::new(token).map_err(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use josekit::jwk::alg::rsa::RsaKeyPair;

    use super::*;

    #[test]
    fn a_token_names_the_app_and_ends() {
        let pair = RsaKeyPair::generate(2048).unwrap();
        for pem in [pair.to_pem_private_key(), pair.to_traditional_pem_private_key()] {
            let pem = Secret::new(String::from_utf8(pem).unwrap().trim().to_owned()).unwrap();
            let key = AppKey::new("123", &pem).unwrap();
            let token = key.token(Timestamp(1_795_000_000_999)).unwrap();
            let verifier = RS256.verifier_from_pem(pair.to_pem_public_key()).unwrap();
            let (payload, header) = jwt::decode_with_verifier(token.expose(), &verifier).unwrap();
            assert_eq!((payload.issuer(), header.algorithm()), (Some("123"), Some("RS256")));
            assert_eq!(payload.claim("iat"), Some(&1_794_999_940.into()));
            assert_eq!(payload.claim("exp"), Some(&1_795_000_540.into()));
            assert_eq!(format!("{key:?}"), "AppKey(123)");
        }
        let wrong =
            Secret::new("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".into()).unwrap();
        assert!(AppKey::new("123", &wrong).is_err());
    }
}
