//! Lenient reading of JSON: DingTalk's own examples have numbers and booleans as strings, and lists as objects or as strings.

use serde_json::Value;

/// A string that is not empty. A number is read as its digits.
pub fn text(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A whole number, or its digits as a string.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The whole number in a field.
pub fn number(object: &Value, name: &str) -> Option<i64> {
    integer(object.get(name)?)
}

/// A boolean, its name as a string, or 0 and 1. `false` if there is none.
pub fn is_true(object: &Value, name: &str) -> bool {
    match object.get(name) {
        Some(Value::Bool(is_true)) => *is_true,
        Some(Value::String(text)) => matches!(text.trim(), "true" | "1"),
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        _ => false,
    }
}

/// The items of a list: of an array, of an array in a string, or one item that is not in an array. `None` if there is no
/// such field, or if it is a string that holds no array.
pub fn list(object: &Value, name: &str) -> Option<Vec<Value>> {
    match object.get(name)? {
        Value::Array(items) => Some(items.clone()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(items)) => Some(items),
            _ => None,
        },
        Value::Null => None,
        one => Some(vec![one.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_a_value_is_read() {
        for value in [json!("432825033"), json!(432_825_033), json!(" 432825033 ")] {
            assert_eq!(integer(&value), Some(432_825_033));
        }
        // Beyond 53 bits, exactly.
        assert_eq!(integer(&json!(176_318_668_975_061_513_i64)), Some(176_318_668_975_061_513));
        for value in [json!(1.5), json!("1.5"), json!(""), json!(null), json!(u64::MAX), json!([1])] {
            assert_eq!(integer(&value), None, "{value}");
        }
        for value in [json!(true), json!("true"), json!("1"), json!(1)] {
            assert!(is_true(&json!({ "a": value }), "a"));
        }
        for value in [json!(false), json!("false"), json!(0), json!(null), json!(2)] {
            assert!(!is_true(&json!({ "a": value }), "a"));
        }
        assert_eq!(text(&json!({ "a": 7 }), "a").as_deref(), Some("7"));
        assert_eq!(text(&json!({ "a": " x " }), "a").as_deref(), Some("x"));
        for value in [json!(""), json!("  "), json!(null), json!(true)] {
            assert_eq!(text(&json!({ "a": value }), "a"), None);
        }
    }

    #[test]
    fn every_form_of_a_list_is_read() {
        let numbers = Some(vec![json!(2), json!(3)]);
        assert_eq!(list(&json!({ "a": [2, 3] }), "a"), numbers);
        assert_eq!(list(&json!({ "a": "[2,3]" }), "a"), numbers);
        assert_eq!(list(&json!({ "a": { "id": 1 } }), "a"), Some(vec![json!({ "id": 1 })]));
        assert_eq!(list(&json!({ "a": 2 }), "a"), Some(vec![json!(2)]));
        for value in [json!(""), json!("x"), json!("{}"), json!(null)] {
            assert_eq!(list(&json!({ "a": value }), "a"), None, "{value}");
        }
        assert_eq!(list(&json!({}), "a"), None);
    }
}
