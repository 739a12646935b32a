//! Facts about a delivery that the runtime and the gateway provide.

/// What the runtime and the gateway tell about a delivery.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The X-Ray trace.
    pub trace: Option<String>,
    /// Whether it is the first delivery since the start.
    pub cold_start: bool,
    /// From the gateway's receipt to the answer, a start in between included; none where the gateway does not tell.
    pub milliseconds: Option<f64>,
}
