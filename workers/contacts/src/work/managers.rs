//! Writes managers, in a second pass: a manager must exist before anybody can have it.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::{Done, Work};
use crate::{
    end::End,
    look, mapping,
    model::{Field, Manager, Member},
    plan::People,
    report::Action,
    state::Last,
    trouble::{Meaning, Trouble},
};

/// How many people are read before their managers are written.
const AT_A_TIME: usize = 100;

/// How many people are read at a time.
const READERS: usize = 8;

impl Work<'_> {
    /// Writes the managers of the people that were read one by one, as events name them.
    pub async fn managers_of_hints(&mut self) -> Result<(), End> {
        let read: BTreeMap<_, _> = self
            .picture
            .people
            .iter()
            .filter(|(_, person)| person.manager != Manager::Unread)
            .map(|(userid, person)| (userid.clone(), person.manager.clone()))
            .collect();
        self.write_managers(read).await
    }

    /// Compares the managers of all people: the lists have none, so each person is read. A run whose time ends here is continued
    /// by the next from the same person on.
    pub async fn managers(&mut self) -> Result<(), End> {
        let from = self.state.last.managers_until.clone();
        let after = |userid: &&String| from.as_ref().is_none_or(|from| *userid > from);
        let userids: Vec<_> = self.picture.people.keys().filter(after).cloned().collect();
        let total = self.picture.people.len();
        let mut done = total.saturating_sub(userids.len());
        for some in userids.chunks(AT_A_TIME) {
            let read = self.read_managers(some).await?;
            self.write_managers(read).await?;
            done = done.saturating_add(some.len());
            (self.progress)(&format!("comparing managers: {done} of {total}"));
            let last = Last { managers_until: some.last().cloned(), ..self.state.last.clone() };
            self.table.last(&mut self.state, last).await?;
        }
        let last = Last { managers_until: None, ..self.state.last.clone() };
        if last != self.state.last {
            self.table.last(&mut self.state, last).await?;
        }
        Ok(())
    }

    async fn read_managers(&mut self, userids: &[String]) -> Result<BTreeMap<String, Manager>, End> {
        let mut read = BTreeMap::new();
        let mut rest = Vec::new();
        for userid in userids {
            match self.picture.people.get(userid).map(|person| &person.manager) {
                Some(Manager::Unread) => rest.push(userid.clone()),
                Some(known) => {
                    read.insert(userid.clone(), known.clone());
                }
                None => {}
            }
        }
        let (source, clock) = (self.source, &self.clock);
        let found: Vec<(String, Result<Manager, Trouble>)> = stream::iter(rest)
            .map(|userid| async move {
                // The end of the time is seen below.
                if clock.check().is_err() {
                    return (userid, Ok(Manager::Unread));
                }
                let person = source.person(&userid).await;
                (userid, person.map(|person| person.manager))
            })
            .buffer_unordered(READERS)
            .collect()
            .await;
        self.clock.check()?;
        for (userid, result) in found {
            match result {
                Ok(manager) => {
                    read.insert(userid, manager);
                }
                Err(trouble) if look::ends_run(&trouble) => return Err(End::of(&trouble)),
                // Gone since the walk, or not readable now: the next run looks again.
                Err(trouble) if trouble.meaning == Meaning::Absent => {}
                Err(trouble) => self.report.note(format!("person {userid}: {trouble}")),
            }
        }
        Ok(read)
    }

    async fn write_managers(&mut self, read: BTreeMap<String, Manager>) -> Result<(), End> {
        if self.only_additions {
            return Ok(());
        }
        let people = People::new(self.corp, &self.state, &self.picture);
        for (userid, manager) in read {
            let Some(manager) = people.manager(&self.state, &userid, &manager) else { continue };
            let Some(record) = self.state.member(&userid).cloned() else { continue };
            self.clock.check()?;
            let member = Member {
                userid: record.wecom.clone(),
                manager: Some(manager.clone()).filter(|manager| !manager.is_empty()),
                ..Member::default()
            };
            self.unsure(&userid, &[Field::Manager]).await?;
            let result = self.target.update_member(&member, &[Field::Manager]).await;
            match self.done(result)? {
                Done::Fine(_) => {
                    let mut record = record;
                    let hash = mapping::hash(&self.corp.hash_key, Field::Manager, &manager);
                    record.written.insert(Field::Manager, hash);
                    self.table.member(&mut self.state, &userid, record).await?;
                    let (fields, reason) = ([Field::Manager], "managed by somebody else in DingTalk");
                    self.changed(Action::SetManager, &userid, &member.userid, &fields, reason);
                }
                // The member or the manager is gone at WeCom: a complete run creates it again.
                Done::Not(trouble) => self.report.note(format!("manager of {userid}: {trouble}")),
            }
        }
        Ok(())
    }
}
