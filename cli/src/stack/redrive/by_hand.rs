//! Moves messages one by one: receives them, sends them, and deletes those that the queue has accepted.
//!
//! At whatever moment it ends, a message is in one of the queues, or in both. One that was received and not deleted can be
//! received again after [`VISIBILITY`].

use std::{collections::HashSet, time::Duration};

use aws_sdk_sqs::{
    operation::send_message::SendMessageOutput,
    types::{
        Message, MessageSystemAttributeName as System, MessageSystemAttributeNameForSends as Sent,
        MessageSystemAttributeValue,
    },
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::dead_letters::DeadLetters;
use crate::stack::AwsError;

const RECEIVE: &str = "sqs:ReceiveMessage";
const SEND: &str = "sqs:SendMessage";
const DELETE: &str = "sqs:DeleteMessage";

/// How long a received message is hidden from others, in seconds.
const VISIBILITY: i32 = 30;

/// A received message is sent within this time, or left for later.
const FRESH: Duration = Duration::from_secs(10);

/// The most messages that SQS returns at once.
const BATCH: i32 = 10;

/// So many failures in a row end it.
const MOST_FAILURES: u64 = 5;

/// What became of one message.
#[derive(Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is in the queue.
    Yes,
    /// It is in the queue, and may still be in the dead-letter queue: a later run moves it again.
    NotDeleted(String),
    /// It is in the dead-letter queue.
    No(String),
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left of what there was.
    Empty,
    /// It was stopped.
    Asked,
    /// Too many failures in a row. The text is the last one.
    Failing(String),
}

impl DeadLetters {
    /// Moves at most `count` messages, so many a second, until `stop` is true. Calls `each` with the result of every one.
    pub async fn by_hand(
        &self,
        count: u64,
        rate: f64,
        mut stop: watch::Receiver<bool>,
        mut each: impl FnMut(&Moved),
    ) -> Result<Ended, AwsError> {
        let interval = Duration::from_secs_f64(1.0 / rate);
        // What is received together is sent within half of the time that it is fresh.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let batch = (rate * FRESH.as_secs_f64() / 2.0).clamp(1.0, f64::from(BATCH)) as i32;
        let (mut moved, mut failures) = (0_u64, 0_u64);
        let mut due = Instant::now();
        // A run that was killed has hidden some.
        let mut give_up = Instant::now() + Duration::from_secs(u64::from(VISIBILITY.unsigned_abs()) + 5);
        while moved < count {
            if *stop.borrow() {
                return Ok(Ended::Asked);
            }
            let left = i32::try_from(count.saturating_sub(moved)).unwrap_or(BATCH);
            let messages = self.receive(batch.min(left)).await?;
            if messages.is_empty() {
                if Instant::now() >= give_up || self.count().await?.total() == 0 {
                    return Ok(Ended::Empty);
                }
                tokio::select! {
                    () = sleep(Duration::from_secs(1)) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                continue;
            }
            give_up = Instant::now() + Duration::from_secs(u64::from(VISIBILITY.unsigned_abs()) + 5);
            let mut last = None;
            for (message, result) in self.send_all(messages, &mut due, interval, &stop).await {
                match &result {
                    None => self.release(&message).await,
                    Some(Moved::No(reason)) => {
                        self.release(&message).await;
                        failures = failures.saturating_add(1);
                        last = Some(reason.clone());
                    }
                    Some(_) => {
                        failures = 0;
                        moved = moved.saturating_add(1);
                    }
                }
                result.iter().for_each(&mut each);
            }
            if let Some(reason) = last.filter(|_| failures >= MOST_FAILURES) {
                return Ok(Ended::Failing(reason));
            }
        }
        Ok(Ended::Empty)
    }

    /// Sends the messages of one batch; no result for those that are left for later. Those of one group stay in order: after
    /// a failure the others of its group are left.
    async fn send_all(
        &self,
        messages: Vec<Message>,
        due: &mut Instant,
        interval: Duration,
        stop: &watch::Receiver<bool>,
    ) -> Vec<(Message, Option<Moved>)> {
        let received = Instant::now();
        let mut results = Vec::new();
        let mut failed_groups = HashSet::new();
        let mut sending: JoinSet<(Message, Option<Moved>)> = JoinSet::new();
        for message in messages {
            sleep_until(*due).await;
            let group =
                message.attributes().and_then(|attributes| attributes.get(&System::MessageGroupId)).cloned();
            let is_late = received.elapsed() > FRESH || *stop.borrow();
            if is_late || group.as_ref().is_some_and(|group| failed_groups.contains(group)) {
                results.push((message, None));
                continue;
            }
            *due = (*due).max(Instant::now().checked_sub(interval).unwrap_or(*due)) + interval;
            let this = self.clone();
            if let Some(group) = group {
                let result = this.move_one(&message).await;
                if matches!(result, Moved::No(_)) {
                    failed_groups.insert(group);
                }
                results.push((message, Some(result)));
            } else {
                sending.spawn(async move {
                    let result = this.move_one(&message).await;
                    (message, Some(result))
                });
            }
        }
        results.extend(sending.join_all().await);
        results
    }

    async fn receive(&self, most: i32) -> Result<Vec<Message>, AwsError> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(most);
        let request = request.visibility_timeout(VISIBILITY).wait_time_seconds(1);
        let request = request.message_attribute_names("All").message_system_attribute_names(System::All);
        let response = request.send().await.map_err(|error| AwsError::of(RECEIVE, &self.url, &error))?;
        Ok(response.messages.unwrap_or_default())
    }

    /// Sends one message to the queue, and deletes it once the queue has it.
    async fn move_one(&self, message: &Message) -> Moved {
        match self.send(message).await {
            Err(reason) => Moved::No(reason),
            Ok(()) => match self.delete(message).await {
                Ok(()) => Moved::Yes,
                Err(error) => Moved::NotDeleted(error.to_string()),
            },
        }
    }

    async fn send(&self, message: &Message) -> Result<(), String> {
        let system = |name| message.attributes().and_then(|attributes| attributes.get(&name));
        let mut request =
            self.client.send_message().queue_url(&self.queue).set_message_body(message.body.clone());
        request = request.set_message_attributes(message.message_attributes.clone());
        if let Some(trace) = system(System::AwsTraceHeader) {
            let value =
                MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
            let value = value.map_err(|error| error.to_string())?;
            request = request.message_system_attributes(Sent::AwsTraceHeader, value);
        }
        if let Some(group) = system(System::MessageGroupId) {
            // SQS itself uses the message id when it moves a message. With the id that the event had, a queue that has seen
            // it in the last five minutes would accept the message and drop it.
            request =
                request.message_group_id(group).set_message_deduplication_id(message.message_id.clone());
        }
        let sent =
            request.send().await.map_err(|error| AwsError::of(SEND, &self.queue, &error).to_string())?;
        confirm(&sent, message)
    }

    async fn delete(&self, message: &Message) -> Result<(), AwsError> {
        let request = self.client.delete_message().queue_url(&self.url);
        let deleted = request.set_receipt_handle(message.receipt_handle.clone()).send().await;
        deleted.map(drop).map_err(|error| AwsError::of(DELETE, &self.url, &error))
    }

    /// Lets others receive a message at once. If that fails, it is visible again after [`VISIBILITY`].
    async fn release(&self, message: &Message) {
        let request = self.client.change_message_visibility().queue_url(&self.url).visibility_timeout(0);
        let _ = request.set_receipt_handle(message.receipt_handle.clone()).send().await;
    }
}

/// Accepts only a response that proves that the queue has this message: a captive proxy responds 200 to every request.
fn confirm(sent: &SendMessageOutput, message: &Message) -> Result<(), String> {
    let has_id = sent.message_id().is_some_and(|id| !id.is_empty());
    // Both are SQS's own digest of the same text.
    let is_same = sent.md5_of_message_body().is_some() && sent.md5_of_message_body() == message.md5_of_body();
    if has_id && is_same {
        return Ok(());
    }
    Err(format!("{SEND}: a successful response that does not confirm the message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_response_that_confirms_the_message_counts() {
        let message = Message::builder().md5_of_body("abc").build();
        let sent = |id: Option<&str>, digest: Option<&str>| {
            SendMessageOutput::builder()
                .set_message_id(id.map(str::to_owned))
                .set_md5_of_message_body(digest.map(str::to_owned))
                .build()
        };
        assert!(confirm(&sent(Some("1"), Some("abc")), &message).is_ok());
        for (id, digest) in
            [(None, Some("abc")), (Some(""), Some("abc")), (Some("1"), None), (Some("1"), Some("abd"))]
        {
            assert!(confirm(&sent(id, digest), &message).is_err(), "{id:?} {digest:?}");
        }
        assert!(confirm(&sent(Some("1"), None), &Message::builder().build()).is_err());
    }
}
