//! Why a call to AWS failed, and what to do.

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use thiserror::Error;

/// Why a call to AWS failed. The text says what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AwsError {
    /// No region is configured.
    #[error("no AWS region is set: use --region, set AWS_REGION, or run `aws configure`")]
    NoRegion,
    /// No credentials were found, or they could not be loaded. Contains the reason.
    #[error(
        "no AWS credentials were found: use --profile, set AWS_PROFILE, or run `aws configure` or `aws sso login`{}",
        in_brackets(.0)
    )]
    NoCredentials(String),
    /// AWS does not accept the credentials. Contains its reason.
    #[error(
        "AWS does not accept the credentials: sign in again (`aws sso login`), or correct them with `aws configure` ({0})"
    )]
    BadCredentials(String),
    /// The credentials lack a permission.
    #[error(
        "{action} is denied: allow {action}{} in the IAM policies of these AWS credentials, or use others with --profile ({reason})",
        on(.resource)
    )]
    Denied {
        /// The permission, such as `cloudformation:DescribeStacks`.
        action: &'static str,
        /// The name or ARN of what it was used on; empty for none.
        resource: String,
        /// AWS's own message.
        reason: String,
    },
    /// The region has no such stack.
    #[error(
        "there is no stack {name:?} in {region}: check its name (`aws cloudformation list-stacks`), or name another region with --region"
    )]
    NoStack {
        /// The name that was looked for.
        name: String,
        /// The region that was searched.
        region: String,
    },
    /// AWS does not know what was asked for. Contains the service's message.
    #[error("{action}: {resource} does not exist in this account and region ({reason})")]
    NotFound {
        /// The permission that the call needs.
        action: &'static str,
        /// The name or ARN.
        resource: String,
        /// AWS's own message.
        reason: String,
    },
    /// No response.
    #[error("{action}: AWS could not be reached; check network, proxy and AWS_ENDPOINT_URL ({reason})")]
    Unreachable {
        /// The permission that the call needs.
        action: &'static str,
        /// Why.
        reason: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

fn in_brackets(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn on(resource: &str) -> String {
    if resource.is_empty() { String::new() } else { format!(" on {resource}") }
}

/// Error codes of several services for one reason: query and JSON protocols have different ones.
const DENIED: [&str; 5] =
    ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden"];
const BAD_CREDENTIALS: [&str; 9] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
const NOT_FOUND: [&str; 6] = [
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
];

impl AwsError {
    /// The error of a call that needs the permission `action` on `resource` (empty for none).
    pub fn of<E>(action: &'static str, resource: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let reason = letterbox_intake::aws::describe(error);
        let resource = resource.to_owned();
        if matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)) {
            return Self::Unreachable { action, reason };
        }
        match error.code() {
            Some(code) if DENIED.contains(&code) => Self::Denied { action, resource, reason },
            Some(code) if BAD_CREDENTIALS.contains(&code) => Self::BadCredentials(reason),
            Some(code) if NOT_FOUND.contains(&code) => Self::NotFound { action, resource, reason },
            _ => Self::Other(format!("{action}: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::{
        config::http::HttpResponse, error::ErrorMetadata, operation::describe_stacks::DescribeStacksError,
    };

    use super::*;

    /// The error of a response with that code.
    fn of(code: &str) -> AwsError {
        let metadata = ErrorMetadata::builder().code(code).message("because").build();
        let response = HttpResponse::new(400.try_into().unwrap(), "".into());
        let error = SdkError::service_error(DescribeStacksError::generic(metadata), response);
        AwsError::of("cloudformation:DescribeStacks", "hooks", &error)
    }

    #[test]
    fn each_code_has_its_reason() {
        let action = "cloudformation:DescribeStacks";
        let resource = || "hooks".to_owned();
        for (code, expected) in [
            (
                "AccessDenied",
                AwsError::Denied { action, resource: resource(), reason: "AccessDenied: because".to_owned() },
            ),
            ("ExpiredToken", AwsError::BadCredentials("ExpiredToken: because".to_owned())),
            (
                "ResourceNotFoundException",
                AwsError::NotFound {
                    action,
                    resource: resource(),
                    reason: "ResourceNotFoundException: because".to_owned(),
                },
            ),
            ("Throttling", AwsError::Other(format!("{action}: Throttling: because"))),
        ] {
            assert_eq!(of(code), expected, "{code}");
        }
    }

    #[test]
    fn a_denied_call_names_the_permission() {
        assert_eq!(
            of("AccessDeniedException").to_string(),
            "cloudformation:DescribeStacks is denied: allow cloudformation:DescribeStacks on hooks in the IAM policies of these AWS credentials, or use others with --profile (AccessDeniedException: because)"
        );
    }
}
