//! WeCom's error codes, as far as writing the directory meets them.
//!
//! Source: <https://developer.work.weixin.qq.com/document/path/90313>, and the page of each call (read 2026-11-27).

use crate::{
    codes::{Pause, Reaction, Row, row, rows},
    model::Field,
    trouble::Meaning,
};

const STOP: Reaction = Reaction::Final(Meaning::Stop);
const ABSENT: Reaction = Reaction::Final(Meaning::Absent);
const REBUILD: Reaction = Reaction::Final(Meaning::Rebuild);
const SKIP: Reaction = Reaction::Final(Meaning::Skip);
const BUG: Reaction = Reaction::Final(Meaning::Bug);
const BUSY: Reaction = Reaction::Again(Pause::Short, Meaning::Retry);
const MINUTE: Reaction = Reaction::Again(Pause::Minute, Meaning::Later);

const fn conflict(field: Field) -> Reaction {
    Reaction::Final(Meaning::Conflict(field))
}

const fn drop_field(field: Field) -> Reaction {
    Reaction::Final(Meaning::DropField(field))
}

const SECRET: &str = "corp_id or secret is not valid, or the secret was reset";
const TOKEN: &str = "the token is not valid";
const PERMISSION: &str = "the secret is not allowed to do this: use the secret of the contact sync assistant, with permission to edit";
const TOO_MANY: &str = "too many calls";
const DEPARTMENT: &str = "a department of the request does not exist or is not valid";
const PARAMETER: &str = "a parameter is not valid";
const EMAIL: &str = "the e-mail address is not allowed";

/// The codes. One that is in none of these rows is a [`Meaning::Bug`].
pub const TABLE: &[Row] = &[
    row(-1, BUSY, "WeCom is busy"),
    row(6000, BUSY, "another change was in progress"),
    row(40_001, STOP, SECRET),
    row(40_013, STOP, SECRET),
    row(41_002, STOP, SECRET),
    row(41_004, STOP, SECRET),
    row(2_000_002, STOP, SECRET),
    row(40_014, Reaction::Token, TOKEN),
    row(41_001, Reaction::Token, TOKEN),
    row(42_001, Reaction::Token, TOKEN),
    row(60_020, STOP, "this address is not among the trusted addresses of the contact sync assistant"),
    row(48_002, STOP, PERMISSION),
    row(48_006, STOP, PERMISSION),
    row(48_008, STOP, PERMISSION),
    row(48_009, STOP, "the contact sync assistant must not read this from a new address"),
    row(60_011, STOP, PERMISSION),
    row(50_003, STOP, "the contact sync assistant is disabled"),
    // Of one record: a tag of another application, and the creator of the corp.
    row(81_011, SKIP, "the tag belongs to another application"),
    row(301_005, SKIP, "the creator of the corp cannot be deleted"),
    row(45_009, MINUTE, TOO_MANY),
    row(45_029, MINUTE, TOO_MANY),
    row(45_033, MINUTE, "too many calls at once"),
    row(45_035, MINUTE, TOO_MANY),
    row(45_024, Reaction::Final(Meaning::Full), "the corp's limit of accounts is reached"),
    row(45_026, STOP, "WeCom's own guard against mass deletion"),
    row(60_003, REBUILD, "there is no such department"),
    row(60_111, ABSENT, "there is no such member"),
    row(40_031, ABSENT, "none of the members is there"),
    row(46_004, ABSENT, "there is no such member"),
    row(60_102, conflict(Field::Id), "a member has this userid"),
    row(60_104, conflict(Field::Mobile), "another member has this mobile number"),
    row(60_106, conflict(Field::Email), "another member has this e-mail address"),
    row(60_103, drop_field(Field::Mobile), "the mobile number is not valid"),
    row(60_105, drop_field(Field::Email), "the e-mail address is not valid"),
    row(60_112, drop_field(Field::Name), "the name is not valid"),
    row(60_129, conflict(Field::MobileOrEmail), "neither mobile number nor e-mail address"),
    row(60_110, REBUILD, "too many departments"),
    row(60_123, REBUILD, DEPARTMENT),
    row(60_124, REBUILD, "the parent department is not valid"),
    row(60_125, drop_field(Field::Name), "the name of the department is not valid"),
    row(60_004, REBUILD, "there is no such parent department"),
    row(60_005, Reaction::Final(Meaning::Occupied), "the department has members"),
    row(60_006, Reaction::Final(Meaning::Occupied), "the department has subdepartments"),
    row(60_007, SKIP, "the root department cannot be deleted"),
    row(60_021, SKIP, "it is outside of what the secret may see"),
    row(60_008, conflict(Field::Name), "a sibling department has this name, or a department this id"),
    row(60_009, drop_field(Field::Name), "the name of the department has a character that is not allowed"),
    row(60_001, drop_field(Field::Name), "the name of the department is too long"),
    row(60_010, REBUILD, "the department would be below itself"),
    row(60_132, BUG, "is_leader_in_dept has another length than department"),
    rows(60_141..=60_145, drop_field(Field::Email), EMAIL),
    row(301_036, BUG, "the userid cannot be changed"),
    rows(302_003..=302_008, BUG, "a batch job"),
    row(40_071, conflict(Field::Name), "another tag has this name"),
    row(40_070, ABSENT, "none of the members is there"),
    row(40_068, ABSENT, "there is no such tag"),
    row(40_003, BUG, "the userid is not valid"),
    rows(40_032..=40_033, BUG, PARAMETER),
    row(40_058, BUG, PARAMETER),
    row(40_066, BUG, "the department list is not valid"),
    row(40_072, BUG, "the name of the tag is not valid"),
    rows(40_088..=40_089, BUG, PARAMETER),
    row(41_009, BUG, "the userid is missing"),
    row(41_019, BUG, "the department is not a list of numbers"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::find;

    /// Written from the documentation once more, independently of the table.
    const EXPECTED: &[(&str, &[i64])] = &[
        ("repeat", &[-1, 6000]),
        ("token", &[40_014, 41_001, 42_001]),
        (
            "stop",
            &[
                40_001, 40_013, 41_002, 41_004, 2_000_002, 60_020, 48_002, 48_006, 48_008, 48_009, 60_011,
                50_003, 45_026,
            ],
        ),
        ("skip", &[81_011, 301_005, 60_007, 60_021]),
        ("minutes", &[45_009, 45_029, 45_033, 45_035]),
        ("full", &[45_024]),
        ("rebuild", &[60_003, 60_110, 60_123, 60_124, 60_004, 60_010]),
        ("absent", &[60_111, 40_031, 46_004, 40_070, 40_068]),
        ("conflict id", &[60_102]),
        ("conflict mobile", &[60_104]),
        ("conflict email", &[60_106]),
        ("conflict mobile_or_email", &[60_129]),
        ("conflict name", &[60_008, 40_071]),
        ("drop mobile", &[60_103]),
        ("drop email", &[60_105, 60_141, 60_142, 60_143, 60_144, 60_145]),
        ("drop name", &[60_112, 60_125, 60_009, 60_001]),
        ("occupied", &[60_005, 60_006]),
        (
            "bug",
            &[
                60_132, 301_036, 302_003, 302_004, 302_005, 302_006, 302_007, 302_008, 40_003, 40_032,
                40_033, 40_058, 40_066, 40_072, 40_088, 40_089, 41_009, 41_019,
            ],
        ),
    ];

    fn class(reaction: Reaction) -> String {
        match reaction {
            Reaction::Token => "token".into(),
            Reaction::Again(Pause::Short, Meaning::Retry) => "repeat".into(),
            Reaction::Again(Pause::Minute, Meaning::Later) => "minutes".into(),
            Reaction::Again(..) => "?".into(),
            Reaction::Final(Meaning::Conflict(field)) => format!("conflict {}", field.name()),
            Reaction::Final(Meaning::DropField(field)) => format!("drop {}", field.name()),
            Reaction::Final(meaning) => format!("{meaning:?}").to_lowercase(),
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
}
