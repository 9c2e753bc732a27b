//! The table's shape, for tests and for reading; in an account `template.yaml` makes it.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::DisplayErrorContext,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
        Projection, ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification,
    },
};

use super::Table;
use crate::keys::{AT, EXPIRES, PK, SK, WORK, WORK_INDEX};

/// How often it is looked whether the table is there, and the pause between.
const LOOKS_MAX: usize = 120;
const LOOK: Duration = Duration::from_millis(250);

impl Table {
    /// Makes the table: paid by request, the index `work` with nothing but keys in it, and expiry.
    pub async fn create(&self) -> Result<(), String> {
        self.try_create().await.map_err(|error| {
            let why = DisplayErrorContext(error.as_ref());
            format!("the table `{}` cannot be made: {why}", self.name)
        })
    }

    async fn try_create(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut create = self
            .client
            .create_table()
            .table_name(&self.name)
            .billing_mode(BillingMode::PayPerRequest);
        for name in [PK, SK, WORK, AT] {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            create = create
                .attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build()?);
        }
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly);
        let index = GlobalSecondaryIndex::builder()
            .index_name(WORK_INDEX)
            .key_schema(key(WORK, KeyType::Hash)?)
            .key_schema(key(AT, KeyType::Range)?)
            .projection(keys_only.build());
        create
            .key_schema(key(PK, KeyType::Hash)?)
            .key_schema(key(SK, KeyType::Range)?)
            .global_secondary_indexes(index.build()?)
            .send()
            .await?;
        for _ in 0..LOOKS_MAX {
            let described = self.client.describe_table().table_name(&self.name);
            let described = described.send().await?;
            let status = described.table().and_then(|table| table.table_status());
            if status == Some(&TableStatus::Active) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let expiry = TimeToLiveSpecification::builder()
            .attribute_name(EXPIRES)
            .enabled(true);
        self.client
            .update_time_to_live()
            .table_name(&self.name)
            .time_to_live_specification(expiry.build()?)
            .send()
            .await?;
        Ok(())
    }
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, aws_sdk_dynamodb::error::BuildError> {
    let element = KeySchemaElement::builder().attribute_name(name);
    element.key_type(kind).build()
}
