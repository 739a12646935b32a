//! Reads the records that events named, and what is needed to place them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    end::{Clock, End},
    model::{Department, Hints, Person, ROOT},
    picture::Picture,
    settings::Corp,
    source::Source,
    state::State,
    trouble::{Meaning, Trouble},
};

/// How many people are read at a time. The rate limits are the client's.
const AT_A_TIME: usize = 8;

/// The deepest chain of departments that is followed.
const DEEPEST: usize = 64;

/// Reads what events named.
pub async fn look(
    corp: &Corp,
    source: &dyn Source,
    state: &State,
    hints: &Hints,
    clock: &Clock<'_>,
) -> Result<Picture, End> {
    let mut look = Look { corp, source, state, clock, picture: Picture::default(), places: BTreeMap::new() };
    let mut people = hints.people.clone();
    for id in &hints.departments {
        if *id <= ROOT {
            continue;
        }
        look.fresh(*id).await?;
        // Whoever was in a department that is gone, or no longer mirrored, is somewhere else now.
        if look.picture.absent_departments.contains(id) || look.picture.outside.contains(id) {
            let members = state.members.iter().filter(|(_, member)| {
                member.deleted.is_none() && member.disabled.is_none() && member.departments.contains(id)
            });
            people.extend(members.map(|(userid, _)| userid.clone()));
        }
    }
    look.people(&people).await?;
    if corp.roles && !hints.roles.is_empty() {
        look.roles(&hints.roles).await?;
    }
    Ok(look.picture)
}

/// Reads people, with or without the rest.
pub async fn people(
    source: &dyn Source,
    clock: &Clock<'_>,
    userids: &BTreeSet<String>,
    picture: &mut Picture,
) -> Result<(), End> {
    let read = |userid: String| async move {
        clock.check()?;
        match source.person(&userid).await {
            Ok(person) => Ok((userid, Ok(person))),
            Err(trouble) if ends_run(&trouble) => Err(End::of(&trouble)),
            Err(trouble) => Ok((userid, Err(trouble))),
        }
    };
    let mut found = stream::iter(userids.iter().cloned()).map(read).buffer_unordered(AT_A_TIME);
    while let Some(found) = found.try_next().await? {
        match found {
            (userid, Ok(person)) => {
                picture.people.insert(userid.clone(), Person { userid, ..person });
            }
            (userid, Err(trouble)) if trouble.meaning == Meaning::Absent => {
                picture.absent_people.insert(userid);
            }
            (userid, Err(trouble)) => {
                picture.unread.insert(format!("person {userid}"), trouble);
            }
        }
    }
    Ok(())
}

/// True if the trouble is not that of one record: neither absent, nor outside of the application's scope, nor malformed.
pub fn ends_run(trouble: &Trouble) -> bool {
    /// A user, or a department, outside of the scope: <https://open.dingtalk.com/document/orgapp/server-api-error-codes-1> (read
    /// 2026-11-27).
    const OUTSIDE: [Option<i64>; 2] = [Some(50_002), Some(50_004)];
    match trouble.meaning {
        Meaning::Stop => !OUTSIDE.contains(&trouble.code),
        Meaning::Later | Meaning::Full => true,
        _ => false,
    }
}

struct Look<'a> {
    corp: &'a Corp,
    source: &'a dyn Source,
    state: &'a State,
    clock: &'a Clock<'a>,
    picture: Picture,
    /// True for a department that is mirrored.
    places: BTreeMap<i64, bool>,
}

impl Look<'_> {
    /// Reads a department that an event named, whatever the state says of it.
    async fn fresh(&mut self, id: i64) -> Result<(), End> {
        self.places.remove(&id);
        self.place(id, true).await.map(|_| ())
    }

    /// True if a department is mirrored. One that is not known is read, and so is the chain above it.
    async fn place(&mut self, id: i64, is_fresh: bool) -> Result<bool, End> {
        let mut chain: Vec<Department> = Vec::new();
        let (mut at, mut reads) = (id, is_fresh);
        let is_mirrored = loop {
            if at == ROOT {
                break self.corp.is_whole();
            }
            if let Some(known) = self.places.get(&at) {
                break *known;
            }
            if self.corp.skip_departments.contains(&at) {
                self.picture.outside.insert(at);
                break false;
            }
            if !reads && self.state.department(at).is_some() {
                break true;
            }
            if at < ROOT || chain.len() >= DEEPEST || chain.iter().any(|one| one.id == at) {
                break false;
            }
            self.clock.check()?;
            match self.source.department(at).await {
                Ok(department) => {
                    let department = Department { id: at, ..department };
                    if self.corp.is_skipped(&department) {
                        self.picture.outside.insert(at);
                        break false;
                    }
                    if !self.corp.is_whole() && self.corp.is_top(at) {
                        chain.push(Department { parent: Some(ROOT), ..department });
                        break true;
                    }
                    let parent = department.parent.unwrap_or(ROOT);
                    chain.push(Department { parent: Some(parent), ..department });
                    (at, reads) = (parent, false);
                }
                Err(trouble) if trouble.meaning == Meaning::Absent => {
                    self.picture.absent_departments.insert(at);
                    self.places.insert(at, false);
                    break false;
                }
                Err(trouble) if ends_run(&trouble) => return Err(End::of(&trouble)),
                Err(trouble) => {
                    self.picture.unread.insert(format!("department {at}"), trouble);
                    self.places.insert(at, false);
                    break false;
                }
            }
        };
        for department in chain {
            self.places.insert(department.id, is_mirrored);
            if is_mirrored {
                self.picture.departments.insert(department.id, department);
            } else {
                self.picture.outside.insert(department.id);
            }
        }
        Ok(is_mirrored)
    }

    async fn people(&mut self, userids: &BTreeSet<String>) -> Result<(), End> {
        people(self.source, self.clock, userids, &mut self.picture).await?;
        let people = self.picture.people.values();
        let departments: BTreeSet<_> = people.flat_map(|person| person.departments.iter().copied()).collect();
        for id in departments {
            self.place(id, false).await?;
        }
        Ok(())
    }

    /// Reads all roles, and who has those that were named. An id that is no role is that of a group, or gone.
    async fn roles(&mut self, named: &BTreeSet<i64>) -> Result<(), End> {
        self.clock.check()?;
        let roles = self.source.roles().await.map_err(|trouble| End::of(&trouble))?;
        for role in roles.iter().filter(|role| named.contains(&role.id)) {
            self.clock.check()?;
            let people = self.source.people_of_role(role.id).await.map_err(|trouble| End::of(&trouble))?;
            self.picture.people_of_roles.insert(role.id, people);
        }
        self.picture.roles = Some(roles);
        Ok(())
    }
}
