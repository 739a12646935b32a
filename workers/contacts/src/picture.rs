//! What was read of DingTalk: the whole directory, or the records that events named.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Department, Person, ROOT, Role, Visible},
    settings::Corp,
    trouble::Trouble,
};

/// What was read of DingTalk.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// True if the whole directory was read, every page without an error.
    pub is_complete: bool,
    /// Departments that are mirrored, without the root. Those of [`Corp::departments`] have the root as their parent.
    pub departments: BTreeMap<i64, Department>,
    /// Departments that exist, and are not mirrored.
    pub outside: BTreeSet<i64>,
    /// Departments that do not exist, as DingTalk has said by a code.
    pub absent_departments: BTreeSet<i64>,
    /// People who were read, whatever their departments.
    pub people: BTreeMap<String, Person>,
    /// People who do not exist, as DingTalk has said by a code.
    pub absent_people: BTreeSet<String>,
    /// What could not be read for a reason of its own, such as `person 42`: nothing is concluded about it.
    pub unread: BTreeMap<String, Trouble>,
    /// All roles, if they were read.
    pub roles: Option<Vec<Role>>,
    /// Who has a role, for the roles that were read.
    pub people_of_roles: BTreeMap<i64, Vec<String>>,
    /// What the application may read, if it was asked.
    pub visible: Option<Visible>,
    /// How many people DingTalk counts, if it was asked.
    pub count: Option<u64>,
}

/// What becomes of a department, as far as the settings say.
impl Corp {
    /// True if the whole company is mirrored, but for what is skipped.
    pub fn is_whole(&self) -> bool {
        self.departments.is_empty() || self.departments.contains(&ROOT)
    }

    /// True for a department that is not mirrored, whatever its parent: skipped, or of related organisations. Ids below 1 are
    /// those of schools' contacts, which the contact API does not accept.
    pub fn is_skipped(&self, department: &Department) -> bool {
        department.id < ROOT || department.is_of_union || self.skip_departments.contains(&department.id)
    }

    /// True for the top of a mirrored tree.
    pub fn is_top(&self, department: i64) -> bool {
        if self.is_whole() { department == ROOT } else { self.departments.contains(&department) }
    }
}

impl Picture {
    /// Adds what a list says of a person: each list knows whether the person leads that department.
    pub fn add_person(&mut self, person: Person) {
        match self.people.get_mut(&person.userid) {
            Some(known) => {
                for id in person.departments {
                    if !known.departments.contains(&id) {
                        known.departments.push(id);
                    }
                }
                for id in person.leads {
                    if !known.leads.contains(&id) {
                        known.leads.push(id);
                    }
                }
            }
            None => {
                self.people.insert(person.userid.clone(), person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_two_departments_make_one_person() {
        let of = |leads: &[i64]| Person {
            userid: "a".into(),
            departments: vec![5, 6],
            leads: leads.to_vec(),
            ..Person::default()
        };
        let mut picture = Picture::default();
        for person in [of(&[5]), of(&[]), of(&[6])] {
            picture.add_person(person);
        }
        assert_eq!(picture.people["a"], of(&[5, 6]));
    }
}
