//! The same decisions, written a second time and in another way, to compare with.

/// The message and the owner key in the padded plaintext of DingTalk's family.
pub fn sealed(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let pad = *plain.last()?;
    let padding = plain.len().checked_sub(pad.into())?;
    if pad == 0 || pad > 32 || plain.iter().skip(padding).any(|byte| *byte != pad) {
        return None;
    }
    let content = plain.get(16..padding)?;
    let (length, rest) = content.split_first_chunk::<4>()?;
    let length = usize::try_from(length.iter().fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte))).ok()?;
    Some((rest.get(..length)?, rest.get(length..)?))
}

/// The value at a path of dots in JSON without names that come twice: a name with dots in it comes first.
pub fn at<'v>(value: &'v serde_json::Value, path: &str) -> Option<&'v serde_json::Value> {
    let child = |name: &str| match value {
        serde_json::Value::Object(members) => members.get(name),
        serde_json::Value::Array(elements) => {
            let is_index = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            elements.get(name.parse::<usize>().ok().filter(|_| is_index)?)
        }
        _ => None,
    };
    let found = match (child(path), path.split_once('.')) {
        (Some(found), _) => Some(found),
        (None, Some((outer, rest))) => at(child(outer)?, rest),
        (None, None) => None,
    };
    found.filter(|value| !value.is_null())
}
