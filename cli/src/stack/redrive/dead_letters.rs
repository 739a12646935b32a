//! The dead-letter queue of a stack, and the tasks of SQS that move its messages.

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::QueueAttributeName,
};

use crate::stack::{Account, AwsError, Stack};

const START: &str = "sqs:StartMessageMoveTask";
const TASKS: &str = "sqs:ListMessageMoveTasks";
const CANCEL: &str = "sqs:CancelMessageMoveTask";
const ATTRIBUTES: &str = "sqs:GetQueueAttributes";

/// The most messages a second that a task of SQS moves.
pub const FASTEST: i32 = 500;

/// The dead-letter queue of a stack, and the queue that its messages came from.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    pub(super) client: Client,
    pub(super) url: String,
    arn: String,
    /// The URL of the queue.
    pub(super) queue: String,
}

/// How many messages a queue has, as SQS estimates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// That can be received.
    pub waiting: u64,
    /// That were received and not yet deleted.
    pub in_flight: u64,
}

impl Count {
    /// All of them.
    pub fn total(self) -> u64 {
        self.waiting.saturating_add(self.in_flight)
    }
}

/// A task of SQS that moves messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Identifies it while it runs.
    pub handle: Option<String>,
    /// `RUNNING`, `COMPLETED`, `CANCELLING`, `CANCELLED` or `FAILED`.
    pub status: String,
    /// How many messages it has moved, as SQS estimates it.
    pub moved: u64,
    /// How many it had to move when it started.
    pub to_move: u64,
    /// Why it failed.
    pub reason: Option<String>,
}

impl Task {
    /// True while messages are moved.
    pub fn is_running(&self) -> bool {
        matches!(self.status.as_str(), "RUNNING" | "CANCELLING")
    }
}

impl DeadLetters {
    /// The dead-letter queue of a stack; `None` if it has none, as with a queue that the stack did not create.
    pub fn of(account: &Account, stack: &Stack) -> Option<Self> {
        let output = |name| stack.output(name).map(str::to_owned);
        Some(Self {
            client: Client::new(&account.config),
            url: output("DeadLetterQueueUrl")?,
            arn: output("DeadLetterQueueArn")?,
            queue: output("QueueUrl")?,
        })
    }

    /// The URLs of the dead-letter queue and of the queue.
    pub fn urls(&self) -> [&str; 2] {
        [&self.url, &self.queue]
    }

    /// Counts the dead letters.
    pub async fn count(&self) -> Result<Count, AwsError> {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request
            .attribute_names(ApproximateNumberOfMessages)
            .attribute_names(ApproximateNumberOfMessagesNotVisible);
        let response = request.send().await.map_err(|error| AwsError::of(ATTRIBUTES, &self.url, &error))?;
        let number = |name| {
            let text = response.attributes().and_then(|attributes| attributes.get(&name));
            text.and_then(|text| text.parse().ok()).unwrap_or_default()
        };
        Ok(Count {
            waiting: number(ApproximateNumberOfMessages),
            in_flight: number(ApproximateNumberOfMessagesNotVisible),
        })
    }

    /// The latest task; `None` if there was none. The inner error is that SQS has no such tasks here.
    pub async fn task(&self) -> Result<Result<Option<Task>, NoTasks>, AwsError> {
        let tasks = match self.client.list_message_move_tasks().source_arn(&self.arn).send().await {
            Ok(tasks) => tasks,
            Err(error) if is_unknown(&error) => return Ok(Err(NoTasks)),
            Err(error) => return Err(AwsError::of(TASKS, &self.arn, &error)),
        };
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Ok(tasks.results().first().map(|task| Task {
            handle: task.task_handle().map(str::to_owned),
            status: task.status().unwrap_or_default().to_owned(),
            moved: number(task.approximate_number_of_messages_moved()),
            to_move: number(task.approximate_number_of_messages_to_move().unwrap_or_default()),
            reason: task.failure_reason().map(str::to_owned),
        })))
    }

    /// Starts a task that moves all dead letters, at most so many a second.
    pub async fn start(&self, rate: i32) -> Result<Result<(), NoTasks>, AwsError> {
        let request = self.client.start_message_move_task().source_arn(&self.arn);
        match request.max_number_of_messages_per_second(rate.clamp(1, FASTEST)).send().await {
            Ok(_) => Ok(Ok(())),
            Err(error) if is_unknown(&error) => Ok(Err(NoTasks)),
            Err(error) => Err(AwsError::of(START, &self.arn, &error)),
        }
    }

    /// Ends a task. What it has moved stays where it is.
    pub async fn cancel(&self, handle: &str) -> Result<(), AwsError> {
        let cancelled = self.client.cancel_message_move_task().task_handle(handle).send().await;
        cancelled.map(drop).map_err(|error| AwsError::of(CANCEL, &self.arn, &error))
    }
}

/// SQS has no tasks that move messages here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTasks;

/// True if the service does not have the call, or does not have it for this queue.
fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    const CODES: [&str; 5] = [
        "InvalidAction",
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation",
        "UnknownOperationException",
        "UnknownOperation",
    ];
    error.code().is_some_and(|code| CODES.iter().any(|known| code.contains(known)))
}
