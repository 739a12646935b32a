//! DingTalk's error codes, as far as reading the directory meets them.
//!
//! Sources, read 2026-11-27 in the [copy of 2026-08-22](https://github.com/apolloyyu/kb-dingtalk-open-platform):
//! - the codes: <https://open.dingtalk.com/document/development/server-api-error-codes-1>, and the page of each call
//! - the limits: <https://open.dingtalk.com/document/development/call-frequency-limit>

use crate::{
    codes::{Failure, Pause, Reaction, Row, row, rows},
    trouble::Meaning,
};

const STOP: Reaction = Reaction::Final(Meaning::Stop);
const ABSENT: Reaction = Reaction::Final(Meaning::Absent);
const BUG: Reaction = Reaction::Final(Meaning::Bug);
const SECOND: Reaction = Reaction::Again(Pause::Second, Meaning::Later);
const TOO_MANY: &str = "too many calls";
const TOKEN: &str = "the token or the credentials are not valid: check client_id and client_secret";
const PERMISSION: &str = "the application lacks a permission: grant it the permissions that the guide lists";
const SCOPE: &str =
    "it is outside of what the application may see: authorise the application for the whole company";
const PARAMETER: &str = "a parameter is not valid";

/// The codes of `oapi.dingtalk.com`. A code that is in none of these rows is a [`Meaning::Bug`].
pub const TABLE: &[Row] = &[
    row(-1, Reaction::Again(Pause::Short, Meaning::Retry), "DingTalk is busy"),
    // With a `sub_code`, that is the code.
    row(88, STOP, PERMISSION),
    rows(90_001..=90_014, SECOND, TOO_MANY),
    rows(90_017..=90_018, SECOND, TOO_MANY),
    row(90_020, STOP, "the company's API calls of this month are used up"),
    row(33_001, Reaction::Token, TOKEN),
    row(40_001, Reaction::Token, TOKEN),
    row(40_003, Reaction::Token, TOKEN),
    row(40_009, Reaction::Token, TOKEN),
    row(40_014, Reaction::Token, TOKEN),
    row(40_089, Reaction::Token, TOKEN),
    row(41_001, Reaction::Token, TOKEN),
    row(42_001, Reaction::Token, TOKEN),
    // The page of user/get has the first alone, those of the searches the second: which one a person has who left is not
    // documented.
    row(33_012, ABSENT, "there is no such person"),
    row(60_121, ABSENT, "there is no such person"),
    row(60_003, ABSENT, "there is no such department"),
    // Says nothing about whether they are there.
    row(60_019, Reaction::Final(Meaning::Retry), "the people of the department could not be read"),
    row(50_002, STOP, SCOPE),
    row(50_004, STOP, SCOPE),
    row(60_011, STOP, PERMISSION),
    row(43_007, STOP, PERMISSION),
    row(60_020, STOP, "this address is not in the application's list of egress addresses"),
    row(33_011, BUG, "there is no such role"),
    row(40_035, BUG, PARAMETER),
    rows(40_068..=40_069, BUG, PARAMETER),
    rows(400_001..=400_002, BUG, PARAMETER),
    row(400_043, BUG, PARAMETER),
];

/// The codes of `api.dingtalk.com`, by how they begin.
const NAMED: &[(&str, Reaction, &str)] = &[
    ("invalidClientIdOrSecret", STOP, "client_id or client_secret is not valid"),
    ("invalidCorpId", STOP, "corp_id is not valid"),
    ("InvalidAuthentication", Reaction::Token, TOKEN),
    ("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", SECOND, TOO_MANY),
    ("Forbidden.AccessDenied.QpsLimitForApi", SECOND, TOO_MANY),
    ("Forbidden.AccessDenied.ApiCountLimitForOrg", STOP, "the company's API calls of this month are used up"),
    (
        "Forbidden.AccessDenied.IpNotInWhiteList",
        STOP,
        "this address is not in the application's list of egress addresses",
    ),
    ("Forbidden.AccessDenied", STOP, PERMISSION),
    ("ServiceUnavailable", Reaction::Again(Pause::Short, Meaning::Retry), "DingTalk is busy"),
    ("InternalError", Reaction::Again(Pause::Short, Meaning::Retry), "DingTalk is busy"),
];

/// A failure by its name. `status` decides about names that are not in the table.
pub fn named(code: &str, status: u16) -> Failure {
    if let Some((_, reaction, says)) = NAMED.iter().find(|(name, ..)| code.starts_with(name)) {
        return Failure::new(*reaction, *says);
    }
    match status {
        401 => Failure::new(Reaction::Token, TOKEN),
        403 => Failure::new(STOP, PERMISSION),
        429 => Failure::new(SECOND, TOO_MANY),
        500.. => Failure::new(Reaction::Again(Pause::Short, Meaning::Retry), format!("HTTP {status}")),
        _ => Failure::new(BUG, format!("HTTP {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::find;

    /// Written from the documentation once more, independently of the table: each code, and what a reader does about it.
    const EXPECTED: &[(&str, &[i64])] = &[
        ("repeat", &[-1]),
        (
            "wait",
            &[
                90_001, 90_002, 90_003, 90_004, 90_005, 90_006, 90_007, 90_008, 90_009, 90_010, 90_011,
                90_012, 90_013, 90_014, 90_017, 90_018,
            ],
        ),
        ("token", &[33_001, 40_001, 40_003, 40_009, 40_014, 40_089, 41_001, 42_001]),
        ("absent", &[33_012, 60_121, 60_003]),
        ("not read", &[60_019]),
        ("stop", &[88, 90_020, 50_002, 50_004, 60_011, 43_007, 60_020]),
        ("bug", &[33_011, 40_035, 40_068, 40_069, 400_001, 400_002, 400_043]),
    ];

    fn class(reaction: Reaction) -> &'static str {
        match reaction {
            Reaction::Token => "token",
            Reaction::Again(Pause::Short, Meaning::Retry) => "repeat",
            Reaction::Again(Pause::Second, Meaning::Later) => "wait",
            Reaction::Final(Meaning::Absent) => "absent",
            Reaction::Final(Meaning::Retry) => "not read",
            Reaction::Final(Meaning::Stop) => "stop",
            Reaction::Final(Meaning::Bug) => "bug",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_row_is_as_documented() {
        let mut expected = 0;
        for (name, codes) in EXPECTED {
            for code in *codes {
                let row = find(TABLE, *code).unwrap_or_else(|| panic!("{code} is missing"));
                assert_eq!(class(row.reaction), *name, "{code}");
                expected += 1;
            }
        }
        let codes: Vec<i64> = TABLE.iter().flat_map(|row| row.codes.clone()).collect();
        assert_eq!(codes.len(), expected, "a row that is expected nowhere");
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len(), "a code in two rows");
    }

    #[test]
    fn names_are_told_apart_by_their_beginning() {
        let reaction = |code, status| named(code, status).reaction;
        assert_eq!(reaction("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", 403), SECOND);
        assert_eq!(reaction("Forbidden.AccessDenied.AccessTokenPermissionDenied", 403), STOP);
        assert_eq!(reaction("InvalidAuthentication", 401), Reaction::Token);
        for (status, expected) in [(401, Reaction::Token), (403, STOP), (429, SECOND), (400, BUG), (404, BUG)]
        {
            assert_eq!(reaction("new", status), expected);
        }
        assert_eq!(reaction("", 502), Reaction::Again(Pause::Short, Meaning::Retry));
    }
}
