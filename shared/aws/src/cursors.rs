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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Meter,
        answers::{Answer, clients},
    };

    #[tokio::test(start_paused = true)]
    async fn what_became_of_a_cursor_is_told() {
        let silent = clients(|_, _| Answer::Silence).dynamodb();
        let cursors = Cursors::new(Table::new(silent, "t", Meter::default()));
        let set = cursors.set("a", 1).await;
        assert!(matches!(set, Err(StoreError::Ambiguous)));
        let got = cursors.get("a").await;
        assert!(matches!(got, Err(StoreError::Unavailable { .. })));
        let kept = cursors.keep_only(&[]).await;
        assert!(matches!(kept, Err(StoreError::Unavailable { .. })));
    }
}
