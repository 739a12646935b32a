//! Writes departments.

use super::{Done, Work, kind_of};
use crate::{
    end::End,
    mapping,
    model::{Field, Group},
    plan::{self, GroupPlan},
    report::{Action, ConflictKind, Subject},
    state::{DepartmentRecord, UNSURE},
    trouble::{Meaning, Trouble},
};

/// How often a name is tried with another number.
const MOST_SUFFIXES: u32 = 9;

/// How often the departments are planned again: two that swap their names need a number for a moment.
const ROUNDS: usize = 3;

const ALL: [Field; 3] = [Field::Name, Field::Parent, Field::Order];

impl Work<'_> {
    /// Creates, renames and moves departments, parents first.
    pub async fn departments(&mut self) -> Result<(), End> {
        for round in 0..ROUNDS {
            let placed = plan::departments(self.corp, &self.state, &self.picture, &self.actual);
            if round == 0 {
                for (id, kind) in &placed.conflicts {
                    self.park(Subject::Department, &id.to_string(), *kind, None, None).await?;
                }
            }
            let mut is_again = false;
            for plan in placed.plans {
                if self.only_additions && !plan.is_new {
                    continue;
                }
                is_again |= self.department(plan).await?;
            }
            if !is_again {
                break;
            }
        }
        Ok(())
    }

    /// Writes one department. True if its name may be free by now.
    async fn department(&mut self, mut plan: GroupPlan) -> Result<bool, End> {
        let id = plan.id.to_string();
        let (mut is_taken, mut is_again, mut base) = (false, false, plan.name.clone());
        let mut rebuilt = false;
        self.begin_department(&plan).await?;
        loop {
            self.clock.check()?;
            let result = self.write_group(&plan).await;
            let trouble = match self.done(result)? {
                Done::Fine(wecom) => {
                    plan.group.id = wecom;
                    break;
                }
                Done::Not(trouble) => trouble,
            };
            match trouble.meaning {
                Meaning::Retry => return Ok(false),
                // A sibling has the name: one of ours, which may be about to lose it, or somebody else's.
                Meaning::Conflict(Field::Name) if plan.suffix <= MOST_SUFFIXES && !plan.name.is_empty() => {
                    if plan.suffix == 0 {
                        let is_ours = self.has_sibling(&plan);
                        (is_taken, is_again) = (!is_ours, is_ours);
                    }
                    plan.suffix = plan.suffix.saturating_add(1).max(2);
                    if !plan.fields.contains(&Field::Name) {
                        plan.fields.push(Field::Name);
                    }
                    plan.group.name = mapping::suffixed(&base, plan.suffix);
                }
                Meaning::DropField(Field::Name) if base != mapping::plainer_name(&plan.name) => {
                    base = mapping::plainer_name(&plan.name);
                    plan.group.name = mapping::suffixed(&base, plan.suffix);
                }
                // It is gone at WeCom, or its parent is.
                Meaning::Absent | Meaning::Rebuild if !rebuilt && !plan.name.is_empty() => {
                    rebuilt = true;
                    self.rebuild(plan.parent).await?;
                    plan.is_new = true;
                    plan.fields = ALL.to_vec();
                }
                _ => {
                    if self.state.departments.get(&plan.id).is_some_and(|record| record.pending) {
                        self.table.forget_department(&mut self.state, plan.id).await?;
                    }
                    self.park(Subject::Department, &id, kind_of(&trouble), Some(&trouble), None).await?;
                    return Ok(false);
                }
            }
        }
        self.written(plan, is_taken).await?;
        Ok(is_again)
    }

    /// Notes a write before it begins, so that a run that is cut off after it knows the department for its own, and does not take
    /// the old values for WeCom's.
    async fn begin_department(&mut self, plan: &GroupPlan) -> Result<(), End> {
        let known = self.state.department(plan.id).cloned();
        let is_known = known.is_some();
        let mut record = known.unwrap_or_else(|| DepartmentRecord {
            wecom: plan.group.id,
            parent: plan.parent,
            pending: true,
            ..DepartmentRecord::default()
        });
        if plan.fields.contains(&Field::Name) || !is_known {
            UNSURE.clone_into(&mut record.name);
            UNSURE.clone_into(&mut record.folded);
        }
        if plan.fields.contains(&Field::Order) {
            record.order = None;
        }
        Ok(self.table.department(&mut self.state, plan.id, record).await?)
    }

    /// Notes a department that was written.
    async fn written(&mut self, plan: GroupPlan, is_taken: bool) -> Result<(), End> {
        let id = plan.id.to_string();
        let mut record = self.state.departments.get(&plan.id).cloned().unwrap_or_default();
        record.wecom = plan.group.id;
        record.pending = false;
        record.deleted = None;
        if plan.fields.contains(&Field::Name) {
            record.name = mapping::name_hash(&self.corp.hash_key, &plan.name);
            record.folded = mapping::folded_hash(&self.corp.hash_key, &plan.name);
            record.suffix = plan.suffix;
            record.is_name_taken = is_taken;
        }
        if plan.fields.contains(&Field::Parent) {
            record.parent = plan.parent;
        }
        if plan.fields.contains(&Field::Order) {
            record.order = plan.group.order;
        }
        record.rank = plan.rank;
        if let Some(groups) = &mut self.actual.groups {
            groups.insert(plan.group.id, plan.group.parent);
        }
        self.table.department(&mut self.state, plan.id, record).await?;
        self.settle(Subject::Department, &id).await?;
        let (action, fields) = if plan.is_new {
            (Action::CreateDepartment, Vec::new())
        } else {
            (Action::UpdateDepartment, plan.fields)
        };
        self.changed(action, &id, &plan.group.id.to_string(), &fields, plan.reason);
        Ok(())
    }

    /// Creates or updates a department. A creation whose id exists is that of a run which was cut off before it could note it, since
    /// nobody else chooses such an id.
    async fn write_group(&self, plan: &GroupPlan) -> Result<i32, Trouble> {
        if !plan.is_new {
            return self.target.update_group(&plan.group, &plan.fields).await.map(|()| plan.group.id);
        }
        let trouble = match self.target.create_group(&plan.group).await {
            Ok(id) => return Ok(id),
            Err(trouble) => trouble,
        };
        if !matches!(trouble.meaning, Meaning::Conflict(Field::Id | Field::Name)) {
            return Err(trouble);
        }
        match self.target.update_group(&plan.group, &ALL).await {
            Ok(()) => Ok(plan.group.id),
            // There is no such department: a sibling has the name.
            Err(missing) if matches!(missing.meaning, Meaning::Absent | Meaning::Rebuild) => Err(trouble),
            Err(trouble) => Err(trouble),
        }
    }

    /// True if a sibling of ours has the name without a number.
    fn has_sibling(&self, plan: &GroupPlan) -> bool {
        let folded = mapping::folded_hash(&self.corp.hash_key, &plan.name);
        self.state.departments.iter().any(|(id, record)| {
            *id != plan.id
                && record.deleted.is_none()
                && record.parent == plan.parent
                && record.folded == folded
                && record.suffix == 0
        })
    }

    /// Writes a chain of departments again, from the top down to `id`: those that WeCom has lost are created.
    pub async fn rebuild(&mut self, id: i64) -> Result<(), End> {
        let mut chain = Vec::new();
        let mut at = id;
        while let Some(record) = self.state.department(at) {
            if chain.len() >= mapping::MOST_LEVELS {
                break;
            }
            chain.push((at, record.clone()));
            at = record.parent;
        }
        for (id, record) in chain.into_iter().rev() {
            let Some(parent) = plan::wecom_department(self.corp, &self.state, record.parent)
                .or_else(|| (record.parent == crate::model::ROOT).then_some(self.corp.wecom.root))
            else {
                return Ok(());
            };
            self.clock.check()?;
            let name = match self.picture.departments.get(&id) {
                Some(department) => department.name.clone(),
                None => match self.source.department(id).await {
                    Ok(department) => department.name,
                    Err(trouble) if trouble.meaning == Meaning::Absent => return Ok(()),
                    Err(trouble) => return Err(End::of(&trouble)),
                },
            };
            let name = mapping::department_name(&name);
            let group = Group {
                id: record.wecom,
                parent,
                name: mapping::suffixed(&name, record.suffix),
                order: record.order,
            };
            let mut result = self.target.update_group(&group, &ALL).await.map(|()| group.id);
            let is_lost = |trouble: &Trouble| matches!(trouble.meaning, Meaning::Absent | Meaning::Rebuild);
            if result.as_ref().is_err_and(is_lost) {
                result = self.target.create_group(&group).await;
            }
            match self.done(result)? {
                Done::Fine(wecom) => {
                    let folded = mapping::folded_hash(&self.corp.hash_key, &name);
                    let name = mapping::name_hash(&self.corp.hash_key, &name);
                    let record = DepartmentRecord { wecom, name, folded, ..record };
                    self.table.department(&mut self.state, id, record).await?;
                }
                Done::Not(trouble) => {
                    let kind = ConflictKind::NoDepartment;
                    self.park(Subject::Department, &id.to_string(), kind, Some(&trouble), None).await?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
