//! Departments: parents first, each with a name that no sibling has.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    actual::Actual,
    mapping,
    model::{Department, Field, Group, ROOT},
    picture::Picture,
    report::ConflictKind,
    settings::Corp,
    state::{DepartmentRecord, State},
};

/// What is to be done with one department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// DingTalk's id.
    pub id: i64,
    /// DingTalk's parent.
    pub parent: i64,
    /// As it is to be at WeCom.
    pub group: Group,
    /// The name without a suffix.
    pub name: String,
    /// The number after the name.
    pub suffix: u32,
    /// DingTalk's order.
    pub rank: Option<i64>,
    /// The fields that differ; all of them for a creation.
    pub fields: Vec<Field>,
    /// True if it does not exist at WeCom, as far as is known.
    pub is_new: bool,
    /// Why.
    pub reason: &'static str,
}

/// The plan for departments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// What is to be done, parents first.
    pub plans: Vec<GroupPlan>,
    /// What cannot be done.
    pub conflicts: Vec<(i64, ConflictKind)>,
}

/// The department of WeCom that a department of DingTalk is, if it is mirrored and exists.
pub fn wecom_department(corp: &Corp, state: &State, id: i64) -> Option<i32> {
    if id == ROOT {
        return corp.is_whole().then_some(corp.wecom.root);
    }
    state.department(id).map(|record| record.wecom)
}

/// A department as it is to be: one that was read, or one of the state beside it.
struct Node<'a> {
    parent: i64,
    name: String,
    hash: String,
    folded: String,
    rank: Option<i64>,
    record: Option<&'a DepartmentRecord>,
    was_read: bool,
}

/// Plans the departments of a picture. Those of the state that are not in it stay as they are, but for their order.
pub fn departments(corp: &Corp, state: &State, picture: &Picture, actual: &Actual) -> Placed {
    let nodes = nodes(corp, state, picture);
    let mut children: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (id, node) in &nodes {
        children.entry(node.parent).or_default().push(*id);
    }
    // Not those that WeCom has: a derived id without a record is what a run created that was cut off before it could note it.
    let mut taken: BTreeSet<i32> = state.departments.values().map(|record| record.wecom).collect();
    taken.insert(corp.wecom.root);
    let mut placed = Placed::default();
    let mut ids = BTreeMap::from([(ROOT, corp.wecom.root)]);
    let mut reached = BTreeSet::new();
    // The root is a level.
    let mut level = vec![(ROOT, 1)];
    while let Some((parent, depth)) = level.pop() {
        let Some(parent_id) = ids.get(&parent).copied() else { continue };
        let siblings = children.remove(&parent).unwrap_or_default();
        let suffixes = suffixes(parent, &siblings, &nodes);
        let orders = orders(&siblings, &nodes);
        for id in siblings {
            let Some(node) = nodes.get(&id) else { continue };
            reached.insert(id);
            if depth >= mapping::MOST_LEVELS {
                if node.was_read {
                    placed.conflicts.push((id, ConflictKind::TooDeep));
                }
                continue;
            }
            let wecom = match node.record {
                Some(record) => record.wecom,
                None => match state.departments.get(&id).filter(|record| record.pending) {
                    Some(record) => record.wecom,
                    None => new_id(corp, id, &mut taken),
                },
            };
            ids.insert(id, wecom);
            level.push((id, depth.saturating_add(1)));
            let suffix = suffixes.get(&id).copied().unwrap_or_default();
            let order = orders.get(&id).copied();
            placed.plans.extend(plan(
                id,
                node,
                suffix,
                order,
                &Group { id: wecom, parent: parent_id, name: mapping::suffixed(&node.name, suffix), order },
                actual,
            ));
        }
    }
    // A parent that is neither read nor known: it could not be created, or the tree has changed while it was read.
    let lost = nodes.iter().filter(|(id, node)| node.was_read && !reached.contains(id));
    placed.conflicts.extend(lost.map(|(id, _)| (*id, ConflictKind::NoDepartment)));
    // Level by level, so that every parent comes before its children.
    placed.plans.sort_by_key(|plan| depth_of(&nodes, plan.id));
    placed
}

impl<'a> Node<'a> {
    /// Its record, if that has this parent and this name.
    fn written(&self, parent: i64) -> Option<&'a DepartmentRecord> {
        self.record.filter(|record| record.parent == parent && record.folded == self.folded)
    }
}

fn nodes<'a>(corp: &Corp, state: &'a State, picture: &Picture) -> BTreeMap<i64, Node<'a>> {
    let mut nodes = BTreeMap::new();
    let live = state.departments.iter().filter(|(_, record)| record.deleted.is_none() && !record.pending);
    for (id, record) in live {
        // Its name is not known here, only its hash: it is not written.
        nodes.insert(
            *id,
            Node {
                parent: record.parent,
                name: String::new(),
                hash: record.name.clone(),
                folded: record.folded.clone(),
                rank: record.rank,
                record: Some(record),
                was_read: false,
            },
        );
    }
    for (id, department) in &picture.departments {
        let name = mapping::department_name(&department.name);
        nodes.insert(
            *id,
            Node {
                parent: department.parent.unwrap_or(ROOT),
                hash: mapping::name_hash(&corp.hash_key, &name),
                folded: mapping::folded_hash(&corp.hash_key, &name),
                name,
                rank: department.order,
                record: state.department(*id),
                was_read: true,
            },
        );
    }
    nodes
}

/// The number of levels above a department. A circle, which DingTalk does not have, ends the count.
fn depth_of(nodes: &BTreeMap<i64, Node<'_>>, id: i64) -> usize {
    let parents = std::iter::successors(Some(id), |id| nodes.get(id).map(|node| node.parent));
    parents.take(mapping::MOST_LEVELS.saturating_mul(2)).take_while(|id| *id != ROOT).count()
}

/// The number after the name of each sibling: the first without, and what has a number keeps it while another of ours has the
/// name, or somebody else.
fn suffixes(parent: i64, siblings: &[i64], nodes: &BTreeMap<i64, Node<'_>>) -> BTreeMap<i64, u32> {
    let mut groups: BTreeMap<&str, Vec<(i64, &Node<'_>)>> = BTreeMap::new();
    for id in siblings {
        if let Some(node) = nodes.get(id) {
            groups.entry(&node.folded).or_default().push((*id, node));
        }
    }
    let mut suffixes = BTreeMap::new();
    for same in groups.into_values() {
        let mut used: BTreeSet<u32> = BTreeSet::new();
        let mut rest = Vec::new();
        let is_taken =
            same.iter().any(|(_, node)| node.written(parent).is_some_and(|record| record.is_name_taken));
        let has_first =
            same.iter().any(|(_, node)| node.written(parent).is_some_and(|record| record.suffix == 0));
        for (id, node) in same {
            match node.written(parent) {
                // The name without a number is free again: the first takes it.
                Some(record) if node.was_read && record.suffix > 0 && !has_first && !is_taken => {
                    rest.push((id, Some(record.suffix)));
                }
                Some(record) => {
                    used.insert(record.suffix);
                    suffixes.insert(id, record.suffix);
                }
                None => rest.push((id, None)),
            }
        }
        for (id, before) in rest {
            let suffix = if !is_taken && !used.contains(&0) {
                0
            } else {
                let kept = before.filter(|suffix| !used.contains(suffix));
                kept.or_else(|| (2..=u32::MAX).find(|one| !used.contains(one))).unwrap_or_default()
            };
            used.insert(suffix);
            suffixes.insert(id, suffix);
        }
    }
    suffixes
}

/// WeCom's order of each sibling, if DingTalk's is known.
fn orders(siblings: &[i64], nodes: &BTreeMap<i64, Node<'_>>) -> BTreeMap<i64, u32> {
    let mut ranked: Vec<_> = siblings
        .iter()
        .filter_map(|id| {
            let node = nodes.get(id)?;
            let rank =
                mapping::rank(&Department { id: *id, order: Some(node.rank?), ..Department::default() });
            Some((
                rank,
                *id,
                node.record.filter(|record| record.parent == node.parent).and_then(|record| record.order),
            ))
        })
        .collect();
    ranked.sort_unstable();
    let known: Vec<_> = ranked.iter().map(|(_, _, order)| *order).collect();
    ranked.iter().map(|(_, id, _)| *id).zip(mapping::orders(&known)).collect()
}

fn new_id(corp: &Corp, id: i64, taken: &mut BTreeSet<i32>) -> i32 {
    let mut derived = (0..64).map(|attempt| mapping::derived_id(&corp.hash_key, "department", id, attempt));
    let wecom = derived.find(|one| !taken.contains(one)).unwrap_or_default();
    taken.insert(wecom);
    wecom
}

fn plan(
    id: i64,
    node: &Node<'_>,
    suffix: u32,
    order: Option<u32>,
    group: &Group,
    actual: &Actual,
) -> Option<GroupPlan> {
    let made = |fields: Vec<Field>, is_new: bool, reason: &'static str| GroupPlan {
        id,
        parent: node.parent,
        name: node.name.clone(),
        suffix,
        rank: node.rank,
        group: group.clone(),
        fields,
        is_new,
        reason,
    };
    let Some(record) = node.record else {
        return node
            .was_read
            .then(|| made(vec![Field::Name, Field::Parent, Field::Order], true, "new in DingTalk"));
    };
    let found = actual.groups.as_ref().map(|groups| groups.get(&group.id).copied());
    if found == Some(None) && node.was_read {
        return Some(made(vec![Field::Name, Field::Parent, Field::Order], true, "missing at WeCom"));
    }
    let mut fields = Vec::new();
    let (is_renamed, is_moved) =
        (record.name != node.hash || record.suffix != suffix, record.parent != node.parent);
    let is_elsewhere = found.flatten().is_some_and(|parent| parent != group.parent);
    if node.was_read {
        if is_renamed {
            fields.push(Field::Name);
        }
        if is_moved || is_elsewhere {
            fields.push(Field::Parent);
        }
    }
    if order.is_some() && record.order != order {
        fields.push(Field::Order);
    }
    let reason = match (is_renamed, is_moved) {
        (true, true) => "renamed and moved in DingTalk",
        (true, false) => "renamed in DingTalk",
        (false, true) => "moved in DingTalk",
        (false, false) if is_elsewhere => "moved at WeCom",
        (false, false) => "sorted in DingTalk",
    };
    (!fields.is_empty()).then(|| made(fields, false, reason))
}
