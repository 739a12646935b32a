//! The state in a `DynamoDB` table with the keys `partition` and `key`, both strings, and the time to live `expires`.

use std::{collections::HashMap, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    config::Builder,
    error::SdkError,
    operation::put_item::PutItemError,
    types::{AttributeValue, Put, TransactWriteItem},
};
use letterbox_codec::Timestamp;
use letterbox_intake::aws::{ResponseLimit, describe};

use super::{Condition, Item, Pending, Store, StoreError};

/// The largest response: a page of a query has at most 1 MB, which may be escaped in JSON.
const LARGEST_RESPONSE: usize = 8 * 1024 * 1024;

/// The time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(5);

/// One table.
#[derive(Clone, Debug)]
pub struct Dynamo {
    client: Client,
    table: String,
}

type Attributes = HashMap<String, AttributeValue>;

impl Dynamo {
    /// The table of that name.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(ATTEMPT).operation_attempt_timeout(ATTEMPT).build();
        let config = Builder::from(config)
            .timeout_config(timeouts)
            .interceptor(ResponseLimit(LARGEST_RESPONSE))
            .build();
        Self { client: Client::from_conf(config), table }
    }

    fn error<E>(&self, action: &str, error: &SdkError<E>) -> StoreError
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        StoreError(format!("dynamodb:{action} on {}: {}", self.table, describe(error)))
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn key(partition: &str, key: &str) -> Attributes {
    HashMap::from([("partition".to_owned(), text(partition)), ("key".to_owned(), text(key))])
}

fn attributes(item: &Item) -> Attributes {
    let mut attributes = key(&item.partition, &item.key);
    attributes.insert("body".to_owned(), text(&item.body));
    attributes.insert("revision".to_owned(), AttributeValue::N(item.revision.to_string()));
    if let Some(Timestamp(expires)) = item.expires {
        // In seconds, as the time to live requires.
        attributes.insert("expires".to_owned(), AttributeValue::N(expires.div_euclid(1000).to_string()));
    }
    attributes
}

fn item(attributes: &Attributes) -> Result<Item, StoreError> {
    let missing = |name: &str| StoreError(format!("an item without {name}: the table is not the stack's"));
    let text = |name: &str| {
        let value = attributes.get(name).and_then(|value| value.as_s().ok());
        value.cloned().ok_or_else(|| missing(name))
    };
    let number = |name: &str| {
        attributes.get(name).and_then(|value| value.as_n().ok()).and_then(|text| text.parse::<i64>().ok())
    };
    Ok(Item {
        partition: text("partition")?,
        key: text("key")?,
        body: text("body")?,
        revision: number("revision").and_then(|number| number.try_into().ok()).unwrap_or_default(),
        expires: number("expires").map(|seconds| Timestamp(seconds.saturating_mul(1000))),
    })
}

impl Store for Dynamo {
    fn get<'a>(&'a self, partition: &'a str, name: &'a str) -> Pending<'a, Option<Item>> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(partition, name)))
            .consistent_read(true);
        Box::pin(async move {
            let found = request.send().await.map_err(|error| self.error("GetItem", &error))?;
            found.item().map(item).transpose()
        })
    }

    fn list<'a>(&'a self, partition: &'a str, prefix: &'a str, most: usize) -> Pending<'a, Vec<Item>> {
        let mut request = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", "partition")
            .expression_attribute_values(":partition", text(partition));
        // An empty value of a key is an error.
        if !prefix.is_empty() {
            request = request
                .key_condition_expression("#partition = :partition AND begins_with(#key, :prefix)")
                .expression_attribute_names("#key", "key")
                .expression_attribute_values(":prefix", text(prefix));
        }
        let pages = request.into_paginator().send();
        Box::pin(async move {
            let (mut pages, mut found) = (pages, Vec::new());
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.error("Query", &error))?;
                for attributes in page.items() {
                    found.push(item(attributes)?);
                    if found.len() >= most {
                        return Ok(found);
                    }
                }
            }
            Ok(found)
        })
    }

    fn put<'a>(&'a self, item: &'a Item, condition: Condition) -> Pending<'a, bool> {
        let mut request = self.client.put_item().table_name(&self.table).set_item(Some(attributes(item)));
        match condition {
            Condition::Always => {}
            Condition::Absent => {
                request = request
                    .condition_expression("attribute_not_exists(#key)")
                    .expression_attribute_names("#key", "key");
            }
            Condition::Revision(revision) => {
                request = request
                    .condition_expression("revision = :revision")
                    .expression_attribute_values(":revision", AttributeValue::N(revision.to_string()));
            }
        }
        Box::pin(async move {
            match request.send().await {
                Ok(_) => Ok(true),
                Err(SdkError::ServiceError(error))
                    if matches!(error.err(), PutItemError::ConditionalCheckFailedException(_)) =>
                {
                    Ok(false)
                }
                Err(error) => Err(self.error("PutItem", &error)),
            }
        })
    }

    fn put_all<'a>(&'a self, items: &'a [Item]) -> Pending<'a, ()> {
        Box::pin(async move {
            let mut writes = Vec::new();
            for item in items {
                let put = Put::builder().table_name(&self.table).set_item(Some(attributes(item))).build();
                let put = put.map_err(|error| StoreError(error.to_string()))?;
                writes.push(TransactWriteItem::builder().put(put).build());
            }
            let request = self.client.transact_write_items().set_transact_items(Some(writes));
            request.send().await.map_err(|error| self.error("TransactWriteItems", &error))?;
            Ok(())
        })
    }

    fn delete<'a>(&'a self, partition: &'a str, name: &'a str) -> Pending<'a, ()> {
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(partition, name)));
        Box::pin(async move {
            request.send().await.map_err(|error| self.error("DeleteItem", &error))?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_it_was_written() {
        let one = Item::new("github/a", "gap#1", &[u64::MAX]).unwrap().until(Timestamp(1_795_000_000_000));
        assert_eq!(item(&attributes(&one)), Ok(one.clone()));
        assert_eq!(one.value::<Vec<u64>>(), Ok(vec![u64::MAX]));
        let mut other = attributes(&one);
        other.remove("body");
        assert!(item(&other).unwrap_err().to_string().contains("without body"));
    }
}
