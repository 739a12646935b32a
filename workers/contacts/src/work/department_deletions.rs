//! Deletes departments, the deepest first, and moves out whoever stays in them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Done, Work, kind_of};
use crate::{
    end::End,
    mapping,
    model::{Field, Member, ROOT},
    plan::wecom_department,
    report::{Action, Subject},
    state::DepartmentRecord,
    trouble::Meaning,
};

impl Work<'_> {
    /// Deletes departments, the deepest first. Members who stay in them, disabled ones for example, are moved out before.
    pub(super) async fn delete_departments(&mut self, ids: &[i64]) -> Result<(), End> {
        let gone: BTreeSet<_> = ids.iter().copied().collect();
        let mut depths = BTreeMap::new();
        for id in ids {
            let parents = std::iter::successors(Some(*id), |id| Some(self.state.departments.get(id)?.parent));
            depths.insert(*id, parents.take(mapping::MOST_LEVELS * 2).take_while(|id| *id != ROOT).count());
        }
        self.move_out(&gone).await?;
        let mut sorted = ids.to_vec();
        sorted.sort_by_key(|id| std::cmp::Reverse(depths.get(id).copied().unwrap_or_default()));
        for id in sorted {
            self.delete_department(id).await?;
        }
        Ok(())
    }

    async fn move_out(&mut self, gone: &BTreeSet<i64>) -> Result<(), End> {
        let staying = self.state.members.iter().filter(|(_, record)| {
            record.deleted.is_none() && record.departments.iter().any(|id| gone.contains(id))
        });
        let staying: Vec<_> = staying.map(|(userid, record)| (userid.clone(), record.clone())).collect();
        for (userid, mut record) in staying {
            record.departments.retain(|id| !gone.contains(id));
            let left = record.departments.iter();
            let mut departments: Vec<_> =
                left.filter_map(|id| wecom_department(self.corp, &self.state, *id)).collect();
            if departments.is_empty() {
                departments.push(self.corp.wecom.root);
            }
            departments.sort_unstable();
            self.clock.check()?;
            let member = Member {
                userid: record.wecom.clone(),
                leads: departments.iter().map(|_| false).collect(),
                departments,
                ..Member::default()
            };
            let result = self.target.update_member(&member, &[Field::Departments]).await;
            match self.done(result)? {
                Done::Fine(_) => {
                    let value = mapping::value(&member, Field::Departments);
                    let hash = mapping::hash(&self.corp.hash_key, Field::Departments, &value);
                    record.written.insert(Field::Departments, hash);
                    self.table.member(&mut self.state, &userid, record).await?;
                    let (fields, reason) = ([Field::Departments], "its department is gone in DingTalk");
                    self.changed(Action::UpdateMember, &userid, &member.userid, &fields, reason);
                }
                Done::Not(trouble) => self.report.note(format!("member {userid}: {trouble}")),
            }
        }
        Ok(())
    }

    async fn delete_department(&mut self, id: i64) -> Result<(), End> {
        let known = self.state.departments.get(&id).filter(|record| record.deleted.is_none());
        let Some(record) = known.cloned() else { return Ok(()) };
        self.clock.check()?;
        let result = self.target.delete_group(record.wecom).await;
        let done = match self.done(result)? {
            Done::Fine(()) => Ok(()),
            Done::Not(trouble) if matches!(trouble.meaning, Meaning::Absent | Meaning::Rebuild) => Ok(()),
            Done::Not(trouble) => Err(trouble),
        };
        match done {
            Ok(()) => {
                let wecom = record.wecom.to_string();
                let record = DepartmentRecord { deleted: Some(self.now()), ..record };
                self.table.department(&mut self.state, id, record).await?;
                self.settle(Subject::Department, &id.to_string()).await?;
                self.changed(Action::DeleteDepartment, &id.to_string(), &wecom, &[], "deleted in DingTalk");
            }
            Err(trouble) if trouble.meaning == Meaning::Retry => {}
            // Somebody's own members or departments are in it, or those that are not yet moved.
            Err(trouble) if trouble.meaning == Meaning::Occupied => {
                self.report.note(format!(
                    "department {id} is not empty at WeCom; the next run tries again: {trouble}"
                ));
            }
            Err(trouble) => {
                let kind = kind_of(&trouble);
                self.park(Subject::Department, &id.to_string(), kind, Some(&trouble), None).await?;
            }
        }
        Ok(())
    }
}
