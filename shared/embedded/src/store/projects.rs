//! CodeBuild projects by name.

use async_trait::async_trait;
use model::project::Project;
use ports::{ProjectStore, StoreError};

use super::{
    Store,
    load::one,
    rows::{ITEM_BYTES_MAX, decoded, encoded},
    writer::Work,
};

#[async_trait]
impl ProjectStore for Store {
    async fn project(&self, name: &str) -> Result<Option<Project>, StoreError> {
        let sql = "SELECT body FROM project WHERE name = ?1";
        let body: Option<Vec<u8>> =
            self.read(|connection| one(connection, sql, [name], |row| row.get(0)))?;
        body.map(|body| decoded(&body, || format!("project `{name}`")))
            .transpose()
    }

    async fn put_project(&self, project: &Project) -> Result<(), StoreError> {
        let name = project.name.clone();
        let body = encoded(project, || format!("project `{name}`"), ITEM_BYTES_MAX)?;
        let name = project.name.clone();
        self.submit(Work::Project { name, body }).await.map(drop)
    }
}
