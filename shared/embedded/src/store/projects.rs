//! CodeBuild projects by name.

use async_trait::async_trait;
use model::{
    Timestamp,
    project::{Project, Settings},
};
use ports::{
    ProjectRecords, ProjectStore, StoreError,
    projects::{CreateProjectError, ProjectName, ProjectRecord},
};
use rusqlite::{Connection, params};

use super::{
    Store,
    ledger::Refusal,
    load::{failed_reading, one},
    rows::{ITEM_BYTES_MAX, decoded, encoded},
};

/// What is to be written of a project.
pub(super) enum Change {
    Put {
        name: String,
        body: Vec<u8>,
    },
    Create {
        name: String,
        body: Vec<u8>,
        limit: usize,
    },
    Replace {
        name: String,
        seen: Vec<u8>,
        body: Vec<u8>,
    },
    Delete {
        name: String,
    },
}

impl Change {
    pub(super) fn write(&self, connection: &Connection) -> Result<(), Refusal> {
        match self {
            Self::Put { name, body } => {
                let sql = "INSERT INTO project (name, body) VALUES (?1, ?2) \
                           ON CONFLICT DO UPDATE SET body = excluded.body";
                connection
                    .prepare_cached(sql)?
                    .execute(params![name, body])?;
            }
            Self::Create { name, body, limit } => {
                let sql = "SELECT count(*), coalesce(max(name = ?1), 0) FROM project";
                let (count, is_there): (usize, bool) = connection
                    .prepare_cached(sql)?
                    .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
                if is_there {
                    return Err(Refusal::Refused(StoreError::Conflict));
                }
                if count >= *limit {
                    return Err(Refusal::Refused(StoreError::TooLarge {
                        what: "the list of projects".to_owned(),
                        bytes: count,
                        limit: *limit,
                    }));
                }
                let sql = "INSERT INTO project (name, body) VALUES (?1, ?2)";
                connection
                    .prepare_cached(sql)?
                    .execute(params![name, body])?;
            }
            Self::Replace { name, seen, body } => {
                let sql = "UPDATE project SET body = ?3 WHERE name = ?1 AND body = ?2";
                let changed = connection
                    .prepare_cached(sql)?
                    .execute(params![name, seen, body])?;
                if changed == 0 {
                    return Err(Refusal::Refused(StoreError::Conflict));
                }
            }
            Self::Delete { name } => {
                let sql = "DELETE FROM project WHERE name = ?1";
                connection.prepare_cached(sql)?.execute([name])?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ProjectStore for Store {
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
        let body = body(&record)?;
        let name = project.name.clone();
        self.submit(Change::Put { name, body }).await.map(drop)
    }
}

#[async_trait]
impl ProjectRecords for Store {
    async fn project_record(&self, name: &str) -> Result<Option<ProjectRecord>, StoreError> {
        let sql = "SELECT body FROM project WHERE name = ?1";
        let body: Option<Vec<u8>> =
            self.read(|connection| one(connection, sql, [name], |row| row.get(0)))?;
        body.map(|body| decoded(&body, || format!("project `{name}`")))
            .transpose()
    }

    async fn create_project(
        &self,
        project: &ProjectRecord,
        limit: usize,
    ) -> Result<(), CreateProjectError> {
        let body = body(project)?;
        let name = project.settings.name.clone();
        let change = Change::Create { name, body, limit };
        match self.submit(change).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict) => Err(CreateProjectError::Exists),
            Err(StoreError::TooLarge { .. }) => Err(CreateProjectError::TooMany),
            Err(error) => Err(error.into()),
        }
    }

    async fn replace_project(
        &self,
        seen: &ProjectRecord,
        project: &ProjectRecord,
    ) -> Result<(), StoreError> {
        let change = Change::Replace {
            name: project.settings.name.clone(),
            seen: body(seen)?,
            body: body(project)?,
        };
        self.submit(change).await.map(drop)
    }

    async fn delete_project(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        let change = Change::Delete { name };
        self.submit(change).await.map(drop)
    }

    async fn project_names(&self) -> Result<Vec<ProjectName>, StoreError> {
        let sql = "SELECT name, coalesce(CAST(body AS TEXT) ->> '$.created', 0), \
                   coalesce(CAST(body AS TEXT) ->> '$.modified', 0) FROM project ORDER BY name";
        self.read(|connection| {
            let mut query = connection.prepare_cached(sql).map_err(failed_reading)?;
            let rows = query.query_map([], |row| {
                Ok(ProjectName {
                    name: row.get(0)?,
                    created: Timestamp(row.get(1)?),
                    modified: Timestamp(row.get(2)?),
                })
            });
            rows.and_then(Iterator::collect).map_err(failed_reading)
        })
    }
}

fn body(project: &ProjectRecord) -> Result<Vec<u8>, StoreError> {
    let name = &project.settings.name;
    encoded(project, || format!("project `{name}`"), ITEM_BYTES_MAX)
}
