//! CodeBuild projects in the table: one item each, and one that counts them.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use model::{
    Timestamp,
    project::{Project, Settings},
};
use ports::{
    ProjectRecords, ProjectStore, StoreError,
    projects::{CreateProjectError, ProjectName, ProjectRecord},
};
use uuid::Uuid;

use crate::{
    Table, keys,
    keys::PK,
    pauses::{Pauses, TRIES},
    table::{Condition, ITEM_BYTES_MAX, Item, Query, Refused, Sorted, Write},
};

/// The projects of one installation.
#[derive(Clone, Debug)]
pub struct Projects {
    table: Table,
}

/// The places of a project and of the count in a transaction that changes both.
const PROJECT: usize = 0;

impl Projects {
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    async fn item(&self, name: &str) -> Result<Option<Item>, StoreError> {
        if !keys::is_sort_key(name) {
            return Ok(None);
        }
        self.table.get(keys::project(name)).await
    }

    /// How many projects there are, and the condition that says that there are as many still.
    async fn count(&self) -> Result<(u64, Condition), StoreError> {
        let Some(item) = self.table.get(keys::project_count()).await? else {
            return Ok((0, Condition::Absent));
        };
        let count = item.get_number("projects")?;
        let same = AttributeValue::N(count.to_string());
        Ok((count, Condition::Equals(vec![("projects", same)])))
    }

    /// Writes a project and how many there are then, at once.
    async fn write(&self, project: Write, count: u64, same: Condition) -> Result<(), Refused> {
        let counted = Item::new(keys::project_count()).number("projects", count);
        let writes = vec![project, Write::put(counted).when(same)];
        self.table.transact(Uuid::new_v4(), writes).await
    }

    async fn create(&self, record: &ProjectRecord, limit: u64) -> Result<(), CreateProjectError> {
        let item = item(record, 1)?;
        let mut pauses = Pauses::new();
        for _ in 0..TRIES {
            let (count, same) = self.count().await?;
            if count >= limit {
                let is_there = self.item(&record.settings.name).await?.is_some();
                return Err(if is_there {
                    CreateProjectError::Exists
                } else {
                    CreateProjectError::TooMany
                });
            }
            let create = Write::put(item.clone()).when(Condition::Absent);
            match self.write(create, count + 1, same).await {
                Ok(()) => return Ok(()),
                Err(Refused::Conditions(places)) if places.contains(&PROJECT) => {
                    return Err(CreateProjectError::Exists);
                }
                // Another project came or went.
                Err(Refused::Conditions(_) | Refused::Store(StoreError::Conflict)) => {}
                Err(Refused::Store(error)) => return Err(error.into()),
            }
            pauses.pause().await;
        }
        Err(StoreError::Conflict.into())
    }
}

fn item(record: &ProjectRecord, version: u64) -> Result<Item, StoreError> {
    let name = &record.settings.name;
    let what = || format!("project `{name}`");
    let item = Item::new(keys::project(name))
        .number("version", version)
        .json("body", record, what, ITEM_BYTES_MAX)?;
    let at = |at: Option<Timestamp>| u64::try_from(at.unwrap_or(Timestamp(0)).0).unwrap_or(0);
    Ok(item
        .number("created", at(record.created))
        .number("modified", at(record.modified)))
}

#[async_trait]
impl ProjectStore for Projects {
    async fn project(&self, name: &str) -> Result<Option<Project>, StoreError> {
        let record = self.project_record(name).await?;
        Ok(record.map(|record| record.settings.project()))
    }

    async fn put_project(&self, project: &Project) -> Result<(), StoreError> {
        let record = ProjectRecord {
            settings: Settings::of_pipeline(project),
            created: None,
            modified: None,
        };
        for _ in 0..TRIES {
            let Some(there) = self.item(&project.name).await? else {
                match self.create(&record, u64::MAX).await {
                    Ok(()) => return Ok(()),
                    Err(CreateProjectError::Store(error)) => return Err(error),
                    Err(CreateProjectError::Exists | CreateProjectError::TooMany) => continue,
                }
            };
            let version = there.get_number("version")?;
            let put = Write::put(item(&record, version + 1)?).when(Condition::version(version));
            match self.table.write(put).await {
                Err(Refused::Conditions(_)) => {}
                written => return Ok(written?),
            }
        }
        Err(StoreError::Conflict)
    }
}

#[async_trait]
impl ProjectRecords for Projects {
    async fn project_record(&self, name: &str) -> Result<Option<ProjectRecord>, StoreError> {
        let item = self.item(name).await?;
        item.map(|item| item.get_json("body")).transpose()
    }

    async fn create_project(
        &self,
        project: &ProjectRecord,
        limit: usize,
    ) -> Result<(), CreateProjectError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        self.create(project, limit).await
    }

    async fn replace_project(
        &self,
        seen: &ProjectRecord,
        project: &ProjectRecord,
    ) -> Result<(), StoreError> {
        let there = self.item(&project.settings.name).await?;
        let there = there.ok_or(StoreError::Conflict)?;
        if there.get_json::<ProjectRecord>("body")? != *seen {
            return Err(StoreError::Conflict);
        }
        let version = there.get_number("version")?;
        let put = Write::put(item(project, version + 1)?).when(Condition::version(version));
        Ok(self.table.write(put).await?)
    }

    async fn delete_project(&self, name: &str) -> Result<(), StoreError> {
        let mut pauses = Pauses::new();
        for _ in 0..TRIES {
            if self.item(name).await?.is_none() {
                return Ok(());
            }
            let (count, same) = self.count().await?;
            let delete = Write::delete(keys::project(name)).when(Condition::Has(PK));
            match self.write(delete, count.saturating_sub(1), same).await {
                Ok(()) => return Ok(()),
                // It went meanwhile, or another project came or went.
                Err(Refused::Conditions(_) | Refused::Store(StoreError::Conflict)) => {}
                Err(Refused::Store(error)) => return Err(error),
            }
            pauses.pause().await;
        }
        Err(StoreError::Conflict)
    }

    async fn project_names(&self) -> Result<Vec<ProjectName>, StoreError> {
        let all = Query::new(keys::PROJECTS, Sorted::All, usize::MAX);
        let items = self.table.query(all.keys_with(vec!["created", "modified"]));
        let time = |item: &Item, name| {
            let at = item.get_number(name)?;
            Ok::<_, StoreError>(Timestamp(i64::try_from(at).unwrap_or(i64::MAX)))
        };
        let name = |item: &Item| {
            Ok(ProjectName {
                name: item.key().sk,
                created: time(item, "created")?,
                modified: time(item, "modified")?,
            })
        };
        items.await?.iter().map(name).collect()
    }
}
