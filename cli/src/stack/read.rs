//! Reads a stack from `CloudFormation`.

use aws_sdk_cloudformation::{
    Client,
    error::ProvideErrorMetadata,
    types::{Stack as Described, StackResourceSummary, StackStatus},
};

use super::{
    account::Account,
    error::AwsError,
    model::{Output, Resource, Stack},
};

const DESCRIBE: &str = "cloudformation:DescribeStacks";
const LIST: &str = "cloudformation:ListStackResources";

/// Reads the stack of that name: its status, parameters, outputs and resources.
pub async fn read(account: &Account, name: &str) -> Result<Stack, AwsError> {
    let client = Client::new(&account.config);
    let described = client.describe_stacks().stack_name(name).send().await;
    let missing = || AwsError::NoStack { name: name.to_owned(), region: account.region.clone() };
    let described = described.map_err(|error| {
        let is_missing = error.code() == Some("ValidationError")
            && error.message().is_some_and(|message| message.contains("does not exist"));
        if is_missing { missing() } else { AwsError::of(DESCRIBE, name, &error) }
    })?;
    let described = described.stacks().first().ok_or_else(missing)?;
    let mut stack = stack(described);
    let mut pages = client.list_stack_resources().stack_name(name).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::of(LIST, name, &error))?;
        stack.resources.extend(page.stack_resource_summaries().iter().filter_map(resource));
    }
    Ok(stack)
}

/// A stack without its resources.
fn stack(described: &Described) -> Stack {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let parameters = described.parameters().iter();
    let outputs = described.outputs().iter();
    Stack {
        name: text(described.stack_name()),
        id: text(described.stack_id()),
        status: text(described.stack_status().map(StackStatus::as_str)),
        status_reason: described.stack_status_reason().map(str::to_owned),
        parameters: parameters
            .map(|parameter| (text(parameter.parameter_key()), text(parameter.parameter_value())))
            .collect(),
        outputs: outputs
            .map(|output| {
                let (value, description) = (text(output.output_value()), text(output.description()));
                (text(output.output_key()), Output { value, description })
            })
            .collect(),
        resources: [].into(),
    }
}

/// A resource by its logical id; `None` if it was deleted, which `CloudFormation` goes on to list.
fn resource(summary: &StackResourceSummary) -> Option<(String, Resource)> {
    let status = summary.resource_status().map_or("", |status| status.as_str()).to_owned();
    let resource = Resource {
        kind: summary.resource_type().unwrap_or_default().to_owned(),
        physical_id: summary.physical_resource_id().unwrap_or_default().to_owned(),
        status,
    };
    (resource.status != "DELETE_COMPLETE")
        .then(|| (summary.logical_resource_id().unwrap_or_default().to_owned(), resource))
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::{
        primitives::DateTime,
        types::{Output as DescribedOutput, Parameter, ResourceStatus},
    };

    use super::*;

    #[test]
    fn a_stack_is_plain_data() {
        let described = Described::builder()
            .stack_name("hooks")
            .stack_id("arn:aws:cloudformation:us-east-1:123456789012:stack/hooks/1")
            .stack_status(StackStatus::UpdateRollbackComplete)
            .stack_status_reason("why")
            .parameters(Parameter::builder().parameter_key("Github").parameter_value("off").build())
            .outputs(
                DescribedOutput::builder()
                    .output_key("GithubUrl")
                    .output_value("https://example.com/github")
                    .description("where")
                    .build(),
            )
            .build();
        let stack = stack(&described);
        assert_eq!(stack.status, "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(stack.status_reason.as_deref(), Some("why"));
        assert_eq!(stack.parameter("Github"), Some("off"));
        assert_eq!(stack.output("GithubUrl"), Some("https://example.com/github"));
        assert_eq!(stack.outputs["GithubUrl"].description, "where");
        assert_eq!((stack.parameter("Other"), stack.output("Other")), (None, None));
    }

    #[test]
    fn deleted_resources_are_left_out() {
        let summary = |status| {
            StackResourceSummary::builder()
                .logical_resource_id("GithubFunction")
                .physical_resource_id("hooks-GithubFunction-1")
                .resource_type("AWS::Lambda::Function")
                .last_updated_timestamp(DateTime::from_secs(0))
                .resource_status(status)
                .build()
        };
        let (name, found) = resource(&summary(ResourceStatus::UpdateComplete)).unwrap();
        assert_eq!((name.as_str(), found.kind.as_str()), ("GithubFunction", "AWS::Lambda::Function"));
        assert_eq!(found.physical_id, "hooks-GithubFunction-1");
        assert_eq!(resource(&summary(ResourceStatus::DeleteComplete)), None);
    }
}
