//! Which value of DingTalk becomes which value of WeCom.
//!
//! WeCom's rules: <https://developer.work.weixin.qq.com/document/path/90195> (members),
//! <https://developer.work.weixin.qq.com/document/path/90205> (departments), both read 2026-11-27.

use crate::{
    model::{Department, Field, Member, Person},
    settings::HashKey,
};

/// The longest name of a member or of a department, in characters.
const LONGEST_NAME: usize = 64;

/// The longest name of a department that WeCom has in the message of error 60001; its page says 64.
const SHORT_NAME: usize = 32;

/// The longest position, in characters.
const LONGEST_POSITION: usize = 128;

/// The longest telephone number, in bytes.
const LONGEST_TELEPHONE: usize = 32;

/// The longest name of a tag, in characters.
const LONGEST_TAG: usize = 32;

/// The most departments of a member.
pub const MOST_DEPARTMENTS: usize = 100;

/// The most levels of departments, the root included.
pub const MOST_LEVELS: usize = 15;

/// The first id of the range from which the ids of departments and tags are derived. WeCom's own are small.
const DERIVED: u32 = 1 << 30;

/// Removes control characters, joins whitespace, and cuts.
fn clean(text: &str, most: usize) -> String {
    let words = text.split(|character: char| character.is_whitespace() || character.is_control());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let cut: String = words.join(" ").chars().take(most).collect();
    cut.trim_end().to_owned()
}

/// The name of a department: without the characters that WeCom does not accept, and not empty.
pub fn department_name(name: &str) -> String {
    let name: String = clean(name, usize::MAX)
        .chars()
        .map(|character| if r#"\:*?"<>|｜/"#.contains(character) { '_' } else { character })
        .collect();
    let name = clean(&name, LONGEST_NAME);
    if name.is_empty() { "_".to_owned() } else { name }
}

/// The name of a department after an error about its characters or its length: letters, digits and few signs, at most 32.
pub fn plainer_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(
            |character| {
                if character.is_alphanumeric() || " ()_".contains(character) { character } else { '_' }
            },
        )
        .collect();
    clean(&plain, SHORT_NAME)
}

/// A name with a number after it, if a sibling has the name without.
pub fn suffixed(name: &str, suffix: u32) -> String {
    if suffix == 0 {
        return name.to_owned();
    }
    let ending = format!("({suffix})");
    let start: String = name.chars().take(LONGEST_NAME.saturating_sub(ending.len())).collect();
    start + &ending
}

/// The hash of a department's name.
pub fn name_hash(key: &HashKey, name: &str) -> String {
    key.hash("department", name)
}

/// What two sibling departments may not have in common: the name in lower case.
pub fn folded_hash(key: &HashKey, name: &str) -> String {
    key.hash("sibling", &name.to_lowercase())
}

/// The name of a member, not empty: else the userid.
fn member_name(person: &Person) -> String {
    let name = clean(&person.name, LONGEST_NAME);
    if name.is_empty() { person.userid.clone() } else { name }
}

/// The mobile number: digits, with `+` and the country code outside of the mainland.
fn mobile(person: &Person) -> Option<String> {
    let text = person.mobile.as_deref()?.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    if text.starts_with('+') {
        let mainland = digits.strip_prefix("86").filter(|rest| rest.len() == 11);
        return Some(mainland.map_or_else(|| format!("+{digits}"), str::to_owned));
    }
    let country: String =
        person.country.as_deref().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    if country.is_empty() || country == "86" { Some(digits) } else { Some(format!("+{country}{digits}")) }
}

/// The first address that WeCom can accept: of `email` and `org_email`.
fn email(person: &Person) -> Option<String> {
    [&person.email, &person.org_email].into_iter().flatten().map(|text| text.trim()).find_map(|text| {
        let (name, host) = text.split_once('@')?;
        let fits = (6..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !name.is_empty()
            && host.contains('.')
            && !host.contains('@');
        fits.then(|| text.to_owned())
    })
}

/// The telephone number: digits, `-`, `+` and `,`. One that is longer than WeCom's is left out.
fn telephone(person: &Person) -> Option<String> {
    let text = person.telephone.as_deref()?;
    let kept: String = text.chars().filter(|one| one.is_ascii_digit() || "-+,".contains(*one)).collect();
    let is_number = text.chars().all(|one| one.is_ascii_digit() || "-+, ()（）.".contains(one));
    (is_number && (1..=LONGEST_TELEPHONE).contains(&kept.len())).then_some(kept)
}

/// The member that a person becomes. `departments` are WeCom's ids, each with whether the person leads it.
pub fn member(
    userid: String,
    person: &Person,
    mut departments: Vec<(i32, bool)>,
    is_invited: bool,
) -> Member {
    departments.sort_unstable();
    departments.dedup_by_key(|(id, _)| *id);
    departments.truncate(MOST_DEPARTMENTS);
    let position = person.title.as_deref().map(|title| clean(title, LONGEST_POSITION));
    Member {
        userid,
        name: member_name(person),
        mobile: mobile(person),
        email: email(person),
        position: position.filter(|text| !text.is_empty()),
        telephone: telephone(person),
        leads: departments.iter().map(|(_, leads)| *leads).collect(),
        departments: departments.iter().map(|(id, _)| *id).collect(),
        manager: None,
        is_enabled: true,
        is_invited,
    }
}

/// The fields that a person decides, in the order in which they are reported.
pub const FIELDS: [Field; 6] =
    [Field::Name, Field::Mobile, Field::Email, Field::Position, Field::Telephone, Field::Departments];

/// The value of a field as text, empty if there is none, for its hash.
pub fn value(member: &Member, field: Field) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match field {
        Field::Name => member.name.clone(),
        Field::Mobile => text(&member.mobile),
        Field::Email => text(&member.email),
        Field::Position => text(&member.position),
        Field::Telephone => text(&member.telephone),
        Field::Manager => text(&member.manager),
        Field::Departments => {
            let pairs = member.departments.iter().zip(&member.leads);
            let pairs: Vec<_> = pairs.map(|(id, leads)| format!("{id}:{}", u8::from(*leads))).collect();
            pairs.join(",")
        }
        Field::Id | Field::MobileOrEmail | Field::Enabled | Field::Parent | Field::Order => String::new(),
    }
}

/// The hash of a field's value; empty for an empty value.
pub fn hash(key: &HashKey, field: Field, value: &str) -> String {
    if value.is_empty() { String::new() } else { key.hash(field.name(), value) }
}

/// True for a userid that WeCom accepts: 1 to 64 letters, digits, `_`, `.`, `-` and `@`, the first a letter or digit.
pub fn is_userid(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@".contains(&byte);
    (1..=64).contains(&text.len())
        && text.bytes().all(word)
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// WeCom's userid for a person whose own it does not accept, or accepts only once: it ignores the case.
pub fn derived_userid(key: &HashKey, userid: &str) -> String {
    format!("dt-{}", key.hash("userid", userid))
}

/// An id of a department or a tag that WeCom has not given and nobody else has chosen. `attempt` counts from 0, for the
/// case that two have the same.
pub fn derived_id(key: &HashKey, purpose: &str, id: i64, attempt: u32) -> i32 {
    let number = key.number(purpose, &format!("{id}/{attempt}")) % DERIVED;
    i32::try_from(DERIVED.saturating_add(number).min(0x7fff_fffe)).unwrap_or(i32::MAX)
}

/// The name of a tag, not empty.
pub fn tag_name(name: &str) -> String {
    let name = clean(name, LONGEST_TAG);
    if name.is_empty() { "_".to_owned() } else { name }
}

/// The order of siblings at WeCom, large first, from those of DingTalk, small first. `siblings` are in DingTalk's order, each with
/// the number that it has at WeCom. Numbers that are in order stay.
pub fn orders(siblings: &[Option<u32>]) -> Vec<u32> {
    /// Between two that are numbered anew, so that a third fits between.
    const STEP: u32 = 1024;
    let anew = || {
        let count = u32::try_from(siblings.len()).unwrap_or(u32::MAX);
        (0..count).map(|at| count.saturating_sub(at).saturating_mul(STEP)).collect()
    };
    let known: Vec<u32> = siblings.iter().copied().flatten().collect();
    if !known.is_sorted_by(|one, next| one > next) {
        return anew();
    }
    let mut orders = Vec::with_capacity(siblings.len());
    let mut rest = siblings;
    while let Some((first, after)) = rest.split_first() {
        if let Some(order) = first {
            orders.push(*order);
            rest = after;
            continue;
        }
        // A run of new ones, between the last that is known and the next.
        let length = rest.iter().take_while(|one| one.is_none()).count();
        let count = u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1);
        let below = rest.iter().copied().flatten().next().unwrap_or(0);
        let above =
            orders.last().copied().unwrap_or_else(|| below.saturating_add(count.saturating_mul(STEP)));
        let step = above.saturating_sub(below) / count;
        if step == 0 {
            return anew();
        }
        for at in 1..count {
            orders.push(above.saturating_sub(step.saturating_mul(at)));
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    orders
}

/// The order of two sibling departments at DingTalk: small first; the id decides between equal ones.
pub fn rank(department: &Department) -> (i64, i64) {
    (department.order.unwrap_or(i64::MAX), department.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person { userid: "zhang".into(), name: "张三".into(), ..Person::default() }
    }

    #[test]
    fn names_of_departments_follow_wecoms_rules() {
        for (name, expected) in [
            ("研发部", "研发部"),
            (" a\u{0}  b ", "a b"),
            (r#"a\b:c*d?e"f<g>h｜i|j"#, "a_b_c_d_e_f_g_h_i_j"),
            ("", "_"),
            ("\t", "_"),
        ] {
            assert_eq!(department_name(name), expected);
        }
        assert_eq!(department_name(&"部".repeat(80)).chars().count(), 64);
        assert_eq!(plainer_name("R&D·部"), "R_D_部");
        assert_eq!(plainer_name(&"部".repeat(64)).chars().count(), 32);
        assert_eq!((suffixed("a", 0), suffixed("a", 2)), ("a".into(), "a(2)".into()));
        let long = suffixed(&"部".repeat(64), 12);
        assert_eq!((long.chars().count(), long.ends_with("部(12)")), (64, true));
    }

    #[test]
    fn mobile_numbers_have_their_country() {
        for (country, number, expected) in [
            (Some("86"), "13800000000", Some("13800000000")),
            (None, "138 0000-0000", Some("13800000000")),
            (Some("852"), "61234567", Some("+85261234567")),
            (Some("+852"), "61234567", Some("+85261234567")),
            (Some("86"), "+85261234567", Some("+85261234567")),
            (Some("86"), "+8613800000000", Some("13800000000")),
            (None, "unknown", None),
            (None, "", None),
            (None, "123456789012345678901", None),
        ] {
            let of = Person { country: country.map(Into::into), mobile: Some(number.into()), ..person() };
            assert_eq!(mobile(&of).as_deref(), expected, "{number}");
        }
        assert_eq!(mobile(&person()), None);
    }

    #[test]
    fn the_first_address_that_fits_is_taken() {
        let of = |email: &str, org: Option<&str>| {
            super::email(&Person { email: Some(email.into()), org_email: org.map(Into::into), ..person() })
        };
        assert_eq!(of("a@example.com", Some("b@example.com")).as_deref(), Some("a@example.com"));
        for bad in [
            "",
            "a@b",
            "@example.com",
            "a b@example.com",
            "é@example.com",
            "a@b@example.com",
            &format!("{}@example.com", "a".repeat(60)),
        ] {
            assert_eq!(of(bad, Some("b@example.com")).as_deref(), Some("b@example.com"), "{bad}");
            assert_eq!(of(bad, None), None);
        }
    }

    #[test]
    fn other_fields_are_cut_or_left_out() {
        let of = Person {
            name: "名".repeat(80),
            title: Some("x".repeat(200)),
            telephone: Some("(025) 5550-1234".into()),
            ..person()
        };
        let made = member("zhang".into(), &of, vec![(7, true), (3, false), (7, false)], false);
        assert_eq!((made.name.chars().count(), made.position.unwrap().len()), (64, 128));
        assert_eq!(made.telephone.as_deref(), Some("0255550-1234"));
        assert_eq!((made.departments, made.leads), (vec![3, 7], vec![false, false]));
        for bad in ["ext. five", "", &"1".repeat(33)] {
            assert_eq!(telephone(&Person { telephone: Some(bad.into()), ..person() }), None);
        }
        let nameless = Person { name: " ".into(), ..person() };
        assert_eq!(member("w".into(), &nameless, vec![], false).name, "zhang");
        let many = (1..=120).map(|id| (id, id == 100)).collect();
        let made = member("w".into(), &person(), many, false);
        assert_eq!((made.departments.len(), made.leads.iter().filter(|leads| **leads).count()), (100, 1));
    }

    #[test]
    fn userids_that_wecom_does_not_accept_are_derived() {
        for good in ["a", "0zhang_san-1.x@y", &"a".repeat(64)] {
            assert!(is_userid(good), "{good}");
        }
        for bad in ["", "-a", "a b", "张", "a+b", &"a".repeat(65)] {
            assert!(!is_userid(bad), "{bad}");
            assert!(is_userid(&derived_userid(&HashKey([7; 32]), bad)));
        }
    }

    #[test]
    fn derived_ids_are_far_from_wecoms_own_and_fit_32_bits() {
        let key = HashKey([7; 32]);
        for id in [1, 432_825_033, 23_424_324_324, i64::MAX, -7] {
            let derived = derived_id(&key, "department", id, 0);
            assert!((1 << 30..i32::MAX).contains(&derived), "{derived}");
            assert_ne!(derived, derived_id(&key, "department", id, 1));
        }
    }

    #[test]
    fn siblings_keep_their_numbers_while_these_are_in_order() {
        assert_eq!(orders(&[None, None, None]), [3072, 2048, 1024]);
        assert_eq!(orders(&[Some(30), Some(20), Some(10)]), [30, 20, 10]);
        assert_eq!(orders(&[Some(3000), None, Some(1000)]), [3000, 2000, 1000]);
        assert_eq!(orders(&[None, Some(5)]), [1029, 5]);
        assert_eq!(orders(&[Some(5000), None]), [5000, 2500]);
        // No number is free between the two, or they have changed places.
        assert_eq!(orders(&[Some(2), None, Some(1)]), [3072, 2048, 1024]);
        assert_eq!(orders(&[Some(1), Some(2)]), [2048, 1024]);
        assert_eq!(orders(&[]), [0; 0]);
    }
}
