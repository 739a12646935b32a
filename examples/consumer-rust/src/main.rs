//! Handles Letterbox's events: each once, those of a FIFO queue in order, one failure without the others.

mod once;

use std::{collections::HashSet, env, time::Duration};

use aws_config::BehaviorVersion;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::json;

use once::Once;

/// A CloudEvents object. Add `data`, with a type of your own.
#[derive(Deserialize)]
struct Event {
    source: String,
    id: String,
    r#type: String,
    subject: Option<String>,
}

/// Where a large event is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pointer {
    s3_bucket_name: String,
    s3_key: String,
}

/// Your work. If it fails, the event returns to the queue.
async fn handle(Event { source, id, r#type, subject }: &Event) -> Result<(), Error> {
    println!("{}", json!({"handled": {"source": source, "id": id, "type": r#type, "subject": subject}}));
    Ok(())
}

struct Consumer {
    s3: aws_sdk_s3::Client,
    once: Once,
}

impl Consumer {
    async fn handle_batch(&self, batch: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        let mut response = SqsBatchResponse::default();
        let mut stopped = HashSet::new();
        for message in batch.payload.records {
            let fifo = message.event_source_arn.as_ref().is_some_and(|arn| arn.ends_with(".fifo"));
            let group = message.attributes.get("MessageGroupId").filter(|_| fifo).cloned();
            let id = message.message_id.clone().unwrap_or_default();
            // With a FIFO queue, the failed event's group stops.
            let done = match &group {
                Some(group) if stopped.contains(group) => Err("an earlier event of its group failed".into()),
                _ => self.handle_message(message, batch.context.deadline).await,
            };
            if let Err(error) = done {
                eprintln!("message {id} failed: {error:?}");
                stopped.extend(group);
                response.add_failure(id);
            }
        }
        Ok(response)
    }

    async fn handle_message(&self, message: SqsMessage, deadline: u64) -> Result<(), Error> {
        let mut body = message.body.unwrap_or_default().into_bytes();
        // A large event is in the bucket, and the body says where.
        if message.message_attributes.contains_key("ExtendedPayloadSize") {
            let (_, at): (String, Pointer) = serde_json::from_slice(&body)?;
            let object = self.s3.get_object().bucket(at.s3_bucket_name).key(at.s3_key).send().await?;
            body = object.body.collect().await?.to_vec();
        }
        let event: Event = serde_json::from_slice(&body)?;
        self.once.run(&format!("{} {}", event.source, event.id), deadline, handle(&event)).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let days: u32 = env::var("REMEMBERED_DAYS")?.parse()?;
    let remembered = Duration::from_hours(24) * days;
    let (client, table) = (aws_sdk_dynamodb::Client::new(&config), env::var("HANDLED_TABLE")?);
    let consumer =
        &Consumer { s3: aws_sdk_s3::Client::new(&config), once: Once { client, table, remembered } };
    run(service_fn(async |batch| consumer.handle_batch(batch).await)).await
}
