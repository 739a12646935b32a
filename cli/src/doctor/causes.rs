//! The table of causes: what is wrong with a refused delivery, and what to do about it.

/// One cause: a row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// A stable word for scripts.
    pub code: &'static str,
    /// What is wrong, in general; a finding adds what it saw.
    pub explanation: &'static str,
    /// What to do, in general; a finding may know better.
    pub remedy: &'static str,
}

macro_rules! causes {
    ($($name:ident: $code:literal, $explanation:literal, $remedy:literal;)*) => {
        $(
            #[doc = $explanation]
            pub const $name: Cause = Cause { code: $code, explanation: $explanation, remedy: $remedy };
        )*

        /// Every cause there is.
        pub const ALL: &[Cause] = &[$($name),*];
    };
}

causes! {
    // The credentials.
    SECRET_HAS_WHITESPACE: "secret_has_whitespace",
        "A secret has white space around it that does not belong to it, such as the line feed that an editor or `echo` adds.",
        "Store it again without the white space (`printf %s`, not `echo`).";
    SECRET_HAS_QUOTES: "secret_has_quotes",
        "A secret has quotes around it that do not belong to it.",
        "Store it again without the quotes.";
    SECRET_MISMATCH: "secret_mismatch",
        "The secret is not the one that the platform signed with, or the body was changed on the way in a manner that doctor does not know.",
        "Copy the secret from the platform's dashboard once more, or set a new one there and here. If it is surely the same, compare the body with the one that the platform shows.";
    SECRET_ENCODING: "secret_encoding",
        "The secret is the right one, but it is read in another encoding than the platform's.",
        "Set the entry's `secret_encoding`.";
    TOKEN_MISMATCH: "token_mismatch",
        "The token is not the one that the platform signed with.",
        "Copy token and `aes_key` together from the same page of the console: a refresh there renews both.";
    TOKEN_AES_KEY_SWAPPED: "token_aes_key_swapped",
        "The token stands where the `aes_key` should, and the other way round.",
        "Swap the two.";
    AES_KEY_LENGTH: "aes_key_length",
        "The `aes_key` is not 43 letters and digits.",
        "Copy the EncodingAESKey from the console once more: 43 characters, without the `=` that a base64 text may end in.";
    AES_KEY_MISMATCH: "aes_key_mismatch",
        "The token is right and the `aes_key` is not: it is another app's, or of another refresh of the console.",
        "Copy token and `aes_key` together from the same page of the console: a refresh there renews both.";
    OWNER_KEY_MISMATCH: "owner_key_mismatch",
        "Token and `aes_key` are right, but the message is for another owner than the entry names.",
        "Set the entry's `owner_key` to the one that the message carries, or a list with both.";
    PSK_LENGTH: "psk_length",
        "A pre-shared key is not base64url of 16 bytes.",
        "Make a new one of 16 bytes, and enter its 22 characters of base64url here and in the platform's webhook settings.";
    PSK_ENCODING: "psk_encoding",
        "A pre-shared key is the right one, but not written as base64url.",
        "Write it as base64url of its 16 bytes: 22 characters.";
    PSK_SWAPPED: "psk_swapped",
        "A kid stands where its key should, and the other way round.",
        "Write `\"keys\": {\"<kid>\": \"<key>\"}`.";
    CREDENTIALS_INVALID: "credentials_invalid",
        "The function does not start with these credentials.",
        "Mend the member that is named; the README's section on credentials lists them all.";
    CREDENTIALS_MISSING: "credentials_missing",
        "The credentials have nothing for this provider.",
        "Add the provider's object to the file of --credentials, or correct the URL in the platform's dashboard.";

    // The route.
    UNKNOWN_SOURCE: "unknown_source",
        "The URL names a source that the credentials do not have.",
        "Correct the URL in the platform's dashboard, or add the source to the credentials.";
    WRONG_SOURCE: "wrong_source",
        "The keys of this source do not open the delivery, but those of another source do.",
        "Put the other source's URL into the platform's dashboard, or move the keys to this source.";
    WRONG_PROVIDER: "wrong_provider",
        "The delivery comes from another provider than its URL says.",
        "Correct the provider in the URL in the platform's dashboard.";
    WRONG_METHOD: "wrong_method",
        "The request is not a POST.",
        "Register the final URL: a redirect turns POST into GET, and so does a look with the browser.";
    URL_CHANGED: "url_changed",
        "The signature covers the URL, and the platform knows this webhook under another one.",
        "Set the entry's `url` to the URL as it stands in the platform's dashboard.";
    QUERY_CHANGED: "query_changed",
        "The query was changed on the way.",
        "Let the proxy hand on the query as it is, neither decoded nor added to.";
    PARAMETER_MISSING: "parameter_missing",
        "A part of the request that the protocol needs is not there.",
        "Let the proxy hand on the whole query and all headers.";
    PARAMETER_MALFORMED: "parameter_malformed",
        "A part of the request has another form than the protocol's.",
        "Look at what stands between the platform and the function: it must hand on the request as it is.";

    // The body.
    BODY_CHANGED: "body_changed",
        "The body was changed on the way: the signature is right for what was sent, not for what came.",
        "Hand the function the raw body, before any framework or proxy parses it.";
    BODY_IS_DECODED_FORM: "body_is_decoded_form",
        "The platform sent a form, and something on the way decoded it.",
        "Hand the function the raw body, or set the webhook's content type to JSON.";
    BODY_IS_BASE64: "body_is_base64",
        "The body is still in the base64 that a gateway or proxy put it in.",
        "Decode it, or set `isBase64Encoded` to true in the event.";
    BODY_EMPTY: "body_empty",
        "The body is empty.",
        "Look for a redirect, or for a middleware that reads the body before it hands the request on.";
    BODY_MALFORMED: "body_malformed",
        "The body has another form than the protocol's.",
        "Send what the platform sends, byte for byte.";
    PAYLOAD_INVALID: "payload_invalid",
        "The signature is right, but what it vouches for is no event of this provider.",
        "Look at what the sender puts into the body, and at what the entry says about where to find it.";
    EVENT_TYPE_NOT_ACCEPTED: "event_type_not_accepted",
        "The signature is right, but the entry's `accept` does not name this event type.",
        "Add the type to `accept`, or turn it off at the platform.";
    TOO_LARGE: "too_large",
        "The body, or the event made of it, is too large.",
        "Send less. For an event that is too large for a queue set OVERSIZE_BUCKET; a function that has it takes this delivery.";
    ROBOT_MESSAGE: "robot_message",
        "This is a robot's outgoing message, not a pushed event: its signature does not cover the body.",
        "Subscribe to the event push in the console; Letterbox takes no robot messages.";

    // The signature.
    SIGNATURE_MISSING: "signature_missing",
        "There is no signature.",
        "Set a secret in the platform's dashboard, and let the proxy hand on all headers.";
    SIGNATURE_WRONG_HEADER: "signature_wrong_header",
        "The signature stands in another header than the entry names.",
        "Set the entry's `header`.";
    SIGNATURE_WRONG_ALGORITHM: "signature_wrong_algorithm",
        "The signature is of another algorithm than the one that is asked for.",
        "Let the sender use the algorithm that is asked for, or set the entry's `algorithm`.";
    SIGNATURE_PREFIX_MISSING: "signature_prefix_missing",
        "The signature's prefix is not the one that the entry names.",
        "Let the sender write the prefix, or set the entry's `prefix`.";
    SIGNATURE_ENCODING: "signature_encoding",
        "The signature is written in another encoding than the one that is asked for.",
        "Let the sender write it as asked for, or set the entry's `encoding`.";
    SIGNATURE_MALFORMED: "signature_malformed",
        "The signature header has another form than the one that is asked for.",
        "Let the proxy hand on the header as it is, once and whole; compare it with what the entry says.";
    SIGNED_TEXT: "signed_text",
        "The secret is right, but the platform signs otherwise than the entry says.",
        "Set the entry's `preset`, or describe the scheme in its other members.";

    // The clock.
    TIMESTAMP_STALE: "timestamp_stale",
        "The signature is right, but its timestamp is too far from the time of receipt: an old delivery that was sent again, or a clock that is wrong.",
        "Set the clock by NTP, at the sender too. For a recorded delivery, --now says when it was received.";
    TIMESTAMP_UNIT: "timestamp_unit",
        "The timestamp is in another unit than the entry says.",
        "Set the entry's `timestamp_unit`: `s` or `ms`.";
    TIMESTAMP_MALFORMED: "timestamp_malformed",
        "The signature is right, but its timestamp is not decimal digits.",
        "Let the sender write Unix seconds or milliseconds.";

    // The JWE.
    JWE_MALFORMED: "jwe_malformed",
        "The body is not a compact JWE.",
        "Hand the function the raw body: five base64url segments joined by dots.";
    JWE_ALGORITHM: "jwe_algorithm",
        "The JWE's header asks for what OpenCard does not use.",
        "Seal with `alg` A128KW and `enc` A128CBC-HS256, without `zip` and `crit`.";
    JWE_UNKNOWN_KID: "jwe_unknown_kid",
        "The query names a kid that the source has no key for.",
        "Add the key to `keys` under the kid that the query names.";
    JWE_KEY_MISMATCH: "jwe_key_mismatch",
        "The key under the query's kid is not the one that the query was sealed with.",
        "Enter the same key under this kid here and in the platform's webhook settings.";

    // The answer.
    REPLY_HEADER_NOT_ECHOED: "reply_header_not_echoed",
        "The delivery opens, but the reply's JOSE header is not that of the query.",
        "Answer under the query's own header, member for member, `rid` included.";
    REPLY_REFUSED: "reply_refused",
        "The delivery opens, but the platform would not take the reply.",
        "Send the function's answer as it is: status, body, and nothing around it.";
}
