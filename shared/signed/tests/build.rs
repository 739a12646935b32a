//! The errors of the build script for an invalid preset file.

#[path = "../build.rs"]
#[allow(dead_code)]
mod build;

const STRIPE: &str = include_str!("../presets/stripe.toml");

#[test]
fn every_mistake_is_found_when_presets_are_compiled() {
    assert!(build::compile("stripe", STRIPE).is_ok());
    for (before, after, expected) in [
        ("header = \"s", "heder = \"s", "line 6: unknown field `heder`, expected one of `header`, `prefix`"),
        ("[event]", "[events]", "line 12: unknown field `events`"),
        ("title = \"Stripe\"", "", "missing field `title`"),
        ("read = 2026", "read = \"2026\" #", "line 3: "),
        (
            "header = \"stripe-signature\"",
            "header = 5",
            "line 6: invalid type: integer `5`, expected a string (in `header = 5`)",
        ),
        (
            "separator = \",\"",
            "tolerance = \"300\"",
            "line 7: invalid type: string \"300\", expected u32 (in `tolerance = \"300\"`)",
        ),
        ("accepted = \"2xx\"", "accepted = \"4xx\"", "line 20: expected 2xx or one such status, got \"4xx\""),
        (
            "accepted = \"2xx\"",
            "accepted = \"2xx\"\ntimeout = \"5 sec\"",
            "line 21: expected a duration such as 10 s or 5 min",
        ),
        (
            "accepted = \"2xx\"",
            "accepted = \"2xx\"\nretry_delays = [\"1 h x 3\"]",
            "line 21: expected a number before x",
        ),
        ("[setup]\nen = [", "[setup]\nen = [\"One more.\",", "setup: expected the same steps in en and zh"),
        ("secret = \"whsec_test_secret\"", "", "proof: expected either secret or public_key"),
        (
            "id = \"evt_1",
            "ident = \"evt_1",
            "unknown field `ident`, expected one of `type`, `subject`, `id`, `time`",
        ),
    ] {
        assert!(STRIPE.contains(before), "{before}");
        let error = build::compile("stripe", &STRIPE.replacen(before, after, 1)).err().unwrap_or_default();
        assert!(error.contains(expected), "{after}: {error}");
    }
}

#[test]
fn fields_may_be_numbers_and_lists() {
    let text = STRIPE.replacen(
        "separator = \",\"",
        "separator = \",\"\nsignature_index = 1\nheader_families = [\"stripe-\", \"x-\"]",
        1,
    );
    let preset = build::compile("stripe", &text).map(|compiled| compiled.preset).unwrap();
    for expected in [
        r#"("signature_index", Field::Number(1))"#,
        r#"("header_families", Field::List(&[Field::Text("stripe-"), Field::Text("x-")]))"#,
    ] {
        assert!(preset.contains(expected), "{preset}");
    }
}

#[test]
fn delays_may_be_repeated() {
    let text = STRIPE.replacen(
        "accepted = \"2xx\"",
        "accepted = \"200\"\ntimeout = \"1500 ms\"\nretry_delays = [\"2 x 3 min\", \"1 h\"]",
        1,
    );
    let sender = build::compile("stripe", &text).map(|compiled| compiled.sender).unwrap();
    for expected in [
        "timeout: Some(Duration::from_millis(1500)), accepted: 200..=200",
        "retry_delays: &[Duration::from_millis(180000), Duration::from_millis(180000), Duration::from_millis(3600000)]",
        "checks: \"status 200\"",
    ] {
        assert!(sender.contains(expected), "{sender}");
    }
}
