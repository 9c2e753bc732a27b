//! Reads a pipeline: its own items in one query, and what they refer to where it is not known yet.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{Execution, ExecutionId, PipelineDeclaration, PipelineState};
use ports::{
    StoreError,
    store::{Glance, Loaded},
};

use super::{
    Store, executions,
    rows::{BODY, Known, LIFE, Read, Rows, VERSION},
};
use crate::{
    keys,
    table::{Item, Query, Sorted},
};

/// How often a pipeline is read again because it was changed meanwhile, and the first pause; it
/// doubles.
const READS_MAX: u32 = 8;
const PAUSE: Duration = Duration::from_millis(5);

type Tags = Arc<BTreeMap<String, String>>;

impl Store {
    /// The pipeline's own items, all as of one commit.
    pub(super) async fn rows(&self, pipeline: &str) -> Result<Option<Rows>, StoreError> {
        let (mut first, mut last, mut pause) = (None, None, PAUSE);
        for _ in 0..READS_MAX {
            let query = Query::new(keys::pipeline(pipeline), Sorted::All, usize::MAX);
            match Read::of(self.table.query(query).await?)? {
                Read::Nothing => return Ok(None),
                Read::Whole(rows) => return Ok(Some(*rows)),
                Read::Torn(version, commit) => {
                    last = Some((version, commit));
                    first = first.or(last);
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(if first == last {
            StoreError::Corrupt {
                what: format!("pipeline `{pipeline}`"),
                why: "its head and its other items are not of one commit".to_owned(),
            }
        } else {
            StoreError::Unavailable {
                doing: format!("read pipeline `{pipeline}`"),
                source: "others change it faster than it can be read".into(),
            }
        })
    }

    pub(super) async fn load_pipeline(
        &self,
        pipeline: &str,
        also: Option<ExecutionId>,
    ) -> Result<Option<Loaded>, StoreError> {
        let Some(rows) = self.rows(pipeline).await? else {
            return Ok(None);
        };
        let life = rows.known.life;
        let mut state = PipelineState::empty(pipeline);
        state.head = rows.head.get_json(BODY)?;
        state.tags = tags(rows.tags.as_ref())?;
        let mut items: Vec<&Item> = rows.live.values().collect();
        let ended = match also {
            Some(id) if !items.iter().any(|item| executions::is_of(item, id)) => {
                self.ended(&rows.known, id).await?
            }
            _ => None,
        };
        items.extend(&ended);
        for execution in self.decode(life, items).await? {
            state.executions.insert(execution.id, execution);
        }
        state.definitions = self.definitions(&state, life).await?;
        let (version, commit) = (rows.known.version, rows.known.commit);
        self.memory.know(pipeline, Arc::new(rows.known));
        Ok(Some(Loaded {
            state,
            version,
            commit,
        }))
    }

    pub(super) async fn decode(
        &self,
        life: u64,
        items: Vec<&Item>,
    ) -> Result<Vec<Arc<Execution>>, StoreError> {
        executions::read(&self.table, &self.memory, life, items.into_iter()).await
    }

    /// The item of an execution that is not live.
    pub(super) async fn ended(
        &self,
        known: &Known,
        id: ExecutionId,
    ) -> Result<Option<Item>, StoreError> {
        let mut leaving = known.loaded.values();
        if let Some(item) = leaving.find(|item| executions::is_of(item, id)) {
            return Ok(Some(item.clone()));
        }
        match self.place(known, id).await? {
            Some(sequence) => self.table.get(keys::ended(known.life, sequence)).await,
            None => Ok(None),
        }
    }

    /// The sequence number of an execution of this pipeline that ended.
    pub(super) async fn place(
        &self,
        known: &Known,
        id: ExecutionId,
    ) -> Result<Option<u64>, StoreError> {
        let Some(place) = self.table.get(keys::place(id)).await? else {
            return Ok(None);
        };
        let sequence = place.get_number(executions::SEQUENCE)?;
        Ok((place.get_number(LIFE)? == known.life).then_some(sequence))
    }

    /// The definitions that the state needs.
    async fn definitions(
        &self,
        state: &PipelineState,
        life: u64,
    ) -> Result<BTreeMap<u32, Arc<PipelineDeclaration>>, StoreError> {
        let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
        for version in state.definitions_in_use() {
            match self.memory.definition(life, version) {
                _ if version == 0 => {}
                Some(definition) => {
                    found.insert(version, definition);
                }
                None => missing.push(version),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let keys = missing.iter().map(|of| keys::definition(life, *of));
        let mut items = self.table.batch_get(keys.collect()).await?;
        for version in missing {
            let item = items.remove(&keys::definition(life, version));
            let item = item.ok_or_else(|| StoreError::Corrupt {
                what: format!("version {version} of pipeline `{}`", state.head.pipeline),
                why: "it is not there".to_owned(),
            })?;
            found.insert(version, self.define(life, version, &item)?);
        }
        Ok(found)
    }

    pub(super) fn define(
        &self,
        life: u64,
        version: u32,
        item: &Item,
    ) -> Result<Arc<PipelineDeclaration>, StoreError> {
        let definition: Arc<PipelineDeclaration> = Arc::new(item.get_json(BODY)?);
        self.memory.define(life, version, Arc::clone(&definition));
        Ok(definition)
    }

    /// What is known of the pipeline's head now.
    pub(super) async fn head(&self, pipeline: &str) -> Result<Option<Known>, StoreError> {
        let head = self.table.get(keys::head(pipeline)).await?;
        head.as_ref().map(Known::of).transpose()
    }

    pub(super) async fn glance_at(&self, pipeline: &str) -> Result<Option<Glance>, StoreError> {
        let (head, tagged) = (keys::head(pipeline), keys::tags(pipeline));
        let mut found = self
            .table
            .batch_get(vec![head.clone(), tagged.clone()])
            .await?;
        let Some(head) = found.remove(&head) else {
            return Ok(None);
        };
        let known = Known::of(&head)?;
        let item = found.remove(&tagged).filter(|item| {
            let is = |name, number| item.get_number(name).is_ok_and(|it| it == number);
            is(LIFE, known.life) && is(VERSION, known.tags)
        });
        if item.is_none() && known.tags > 0 {
            // They were changed between the two readings.
            let loaded = self.load_pipeline(pipeline, None).await?;
            return Ok(loaded.map(|loaded| Glance {
                commit: loaded.commit,
                tags: loaded.state.tags,
                is_deleting: loaded.state.head.deleting,
            }));
        }
        let state: model::state::Head = head.get_json(BODY)?;
        Ok(Some(Glance {
            commit: known.commit,
            tags: tags(item.as_ref())?,
            is_deleting: state.deleting,
        }))
    }
}

fn tags(item: Option<&Item>) -> Result<Tags, StoreError> {
    item.map_or_else(|| Ok(Tags::default()), |item| item.get_json(BODY))
}
