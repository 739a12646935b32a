//! Handles an event only once: a conditional put before the work, with an expiry.
//! The items are those of AWS Lambda Powertools, which has no idempotency for Rust.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError::ConditionalCheckFailedException,
    types::{
        AttributeValue::{self, N, S},
        ReturnValuesOnConditionCheckFailure::AllOld,
    },
};
use lambda_runtime::Error;

const IN_PROGRESS: &str = "INPROGRESS";
const COMPLETED: &str = "COMPLETED";

/// The table of handled events.
pub struct Once {
    pub client: Client,
    pub table: String,
    /// How long an event is remembered.
    pub remembered: Duration,
}

impl Once {
    /// Runs the work unless it has been done for this key.
    /// If it fails, the key is free again; if the function ends in between, it is so from `deadline` on, in milliseconds.
    pub async fn run(
        &self,
        key: &str,
        deadline: u64,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        if !self.claim(key, deadline).await? {
            return Ok(());
        }
        let done = work.await;
        match done {
            Ok(()) => self.complete(key).await?,
            Err(_) => self.release(key).await?,
        }
        done
    }

    async fn complete(&self, key: &str) -> Result<(), Error> {
        let update = self.client.update_item().table_name(&self.table).key("id", S(key.to_owned()));
        let update = update.update_expression("SET #status = :completed");
        let update = update.expression_attribute_names("#status", "status");
        update.expression_attribute_values(":completed", S(COMPLETED.into())).send().await?;
        Ok(())
    }

    async fn release(&self, key: &str) -> Result<(), Error> {
        self.client.delete_item().table_name(&self.table).key("id", S(key.to_owned())).send().await?;
        Ok(())
    }

    /// True if the key is new, has expired, or was left by a function that did not end; false if its work has been done.
    async fn claim(&self, key: &str, deadline: u64) -> Result<bool, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let put = self.client.put_item().table_name(&self.table);
        let put = put.item("id", S(key.to_owned())).item("status", S(IN_PROGRESS.into()));
        let put = put.item("in_progress_expiration", number(deadline.into()));
        let put = put.item("expiration", number((now + self.remembered).as_secs().into()));
        let put = put.condition_expression(
            "attribute_not_exists(id) OR expiration < :now OR (#status = :in_progress AND in_progress_expiration < :now_ms)",
        );
        let put = put.expression_attribute_names("#status", "status");
        let put = put.expression_attribute_values(":in_progress", S(IN_PROGRESS.into()));
        let put = put.expression_attribute_values(":now", number(now.as_secs().into()));
        let put = put.expression_attribute_values(":now_ms", number(now.as_millis()));
        let Err(error) = put.return_values_on_condition_check_failure(AllOld).send().await else {
            return Ok(true);
        };
        match error.into_service_error() {
            ConditionalCheckFailedException(found) if is_completed(found.item()) => Ok(false),
            ConditionalCheckFailedException(_) => Err("the event is being handled now".into()),
            error => Err(error.into()),
        }
    }
}

fn is_completed(item: Option<&HashMap<String, AttributeValue>>) -> bool {
    item.and_then(|item| item.get("status")).is_some_and(|status| *status == S(COMPLETED.into()))
}

fn number(value: u128) -> AttributeValue {
    N(value.to_string())
}
