//! The unchecked parts of a request.

/// The parts of a request, as an input format contains them.
#[derive(Debug)]
pub struct Parts {
    /// The method.
    pub method: String,
    /// The URL as written in the input.
    pub url: String,
    /// The names and values of the headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
}
