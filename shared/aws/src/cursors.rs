//! Cursors in the table: one item each.

use async_trait::async_trait;
use ports::{Cursors as Port, StoreError};

use crate::{
    Table, keys,
    table::{Item, Query, Sorted, Write},
};

/// The cursors of one installation.
#[derive(Clone, Debug)]
pub struct Cursors {
    table: Table,
}

impl Cursors {
    pub fn new(table: Table) -> Self {
        Self { table }
    }
}

#[async_trait]
impl Port for Cursors {
    async fn get(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let item = self.table.get(keys::cursor(name)).await?;
        item.map(|item| item.get_number("commit")).transpose()
    }

    async fn set(&self, name: &str, commit: u64) -> Result<(), StoreError> {
        let item = Item::new(keys::cursor(name)).number("commit", commit);
        Ok(self.table.write(Write::put(item)).await?)
    }

    async fn keep_only(&self, names: &[String]) -> Result<(), StoreError> {
        let all = Query::new(keys::CURSORS, Sorted::All, usize::MAX);
        for item in self.table.query(all).await? {
            let key = item.key();
            if !names.contains(&key.sk) {
                self.table.write(Write::delete(key)).await?;
            }
        }
        Ok(())
    }
}
