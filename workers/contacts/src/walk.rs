//! Reads the whole directory of DingTalk: departments level by level, and the people of each.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, future::try_join3, stream};

use crate::{
    end::{Clock, End},
    model::{Department, Person, ROOT},
    picture::Picture,
    settings::Corp,
    source::Source,
    trouble::{Meaning, Trouble},
};

/// How many departments are read at a time. The rate limits are the client's.
const AT_A_TIME: usize = 16;

/// The most departments: WeCom has at most 30,000.
const MOST_DEPARTMENTS: usize = 100_000;

/// What was read of one department.
struct Found {
    /// `None` for the root, which is not looked at, and for one that has just been deleted.
    department: Option<Department>,
    below: Vec<Department>,
    people: Vec<Person>,
}

/// Reads the whole directory. A page that cannot be read ends the run: nothing is concluded from a part.
pub async fn walk(
    corp: &Corp,
    source: &dyn Source,
    clock: &Clock<'_>,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Picture, End> {
    clock.check()?;
    let visible = source.visible().await.map_err(|trouble| End::of(&trouble))?;
    if corp.is_whole() && !visible.departments.contains(&ROOT) {
        return Err(End::Failed(format!(
            "the application of DingTalk does not see the whole company but {} departments and {} people: extend its \
             contact scope, or set `departments`",
            visible.departments.len(),
            visible.people.len()
        )));
    }
    let count = source.count().await.map_err(|trouble| End::of(&trouble))?;
    let mut picture =
        Picture { is_complete: true, visible: Some(visible), count: Some(count), ..Picture::default() };
    let mut seen = BTreeSet::new();
    let mut level = if corp.is_whole() { vec![(ROOT, None)] } else { tops(corp) };
    while !level.is_empty() {
        seen.extend(level.iter().map(|(id, _)| *id));
        if seen.len() > MOST_DEPARTMENTS {
            return Err(End::Failed(format!("DingTalk has more than {MOST_DEPARTMENTS} departments")));
        }
        let mut found = stream::iter(level)
            .map(|(id, parent)| read(corp, source, clock, id, parent))
            .buffer_unordered(AT_A_TIME);
        let mut below = Vec::new();
        while let Some((id, found)) = found.try_next().await? {
            if let Some(department) = found.department {
                if corp.is_skipped(&department) {
                    picture.outside.insert(id);
                    continue;
                }
                picture.departments.insert(id, department);
            } else if id != ROOT {
                picture.absent_departments.insert(id);
                continue;
            }
            found.people.into_iter().for_each(|person| picture.add_person(person));
            for child in found.below {
                if corp.is_skipped(&child) {
                    picture.outside.insert(child.id);
                } else if !seen.contains(&child.id) {
                    below.push((child.id, Some(id)));
                }
            }
            progress(&format!(
                "reading DingTalk: {} departments, {} people",
                picture.departments.len(),
                picture.people.len()
            ));
        }
        drop(found);
        // In a fixed order, each once: a move while it is read may show one twice.
        below.sort_unstable();
        below.dedup_by_key(|(id, _)| *id);
        level = below;
    }
    Ok(picture)
}

/// The tops of the mirrored trees hang under the root.
fn tops(corp: &Corp) -> Vec<(i64, Option<i64>)> {
    let tops: BTreeSet<_> = corp.departments.iter().copied().collect();
    tops.into_iter().map(|id| (id, Some(ROOT))).collect()
}

/// Reads one department. `parent` is the one in whose list it was found.
async fn read(
    corp: &Corp,
    source: &dyn Source,
    clock: &Clock<'_>,
    id: i64,
    parent: Option<i64>,
) -> Result<(i64, Found), End> {
    clock.check()?;
    let department = async { if id == ROOT { Ok(None) } else { source.department(id).await.map(Some) } };
    let done = try_join3(department, source.subdepartments(id), source.people(id)).await;
    match done {
        Ok((department, below, people)) => {
            let department = department.map(|department| Department { id, parent, ..department });
            Ok((id, Found { department, below, people }))
        }
        // Deleted since it was listed. One that the settings name must exist.
        Err(Trouble { meaning: Meaning::Absent, .. }) if !corp.is_top(id) => {
            Ok((id, Found { department: None, below: Vec::new(), people: Vec::new() }))
        }
        Err(trouble) if corp.is_top(id) => {
            Err(End::Failed(format!("department {id}, which the settings name: {trouble}")))
        }
        Err(trouble) => Err(End::of(&trouble)),
    }
}
