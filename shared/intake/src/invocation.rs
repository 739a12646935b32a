//! The part of a log line that is about the invocation of the function.

/// What the Lambda runtime and API Gateway report about one delivery.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// The X-Ray trace header.
    pub trace: Option<String>,
    /// True for the first delivery of an execution environment.
    pub cold_start: bool,
    /// Milliseconds from API Gateway's receipt to the response, a cold start included; `None` if the event has no usable
    /// time of receipt.
    pub milliseconds: Option<f64>,
}
