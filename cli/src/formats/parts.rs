//! A request in parts, before any of them is checked.

/// The parts as every form of input has them.
#[derive(Debug)]
pub struct Parts {
    /// The method.
    pub method: String,
    /// The URL, as the input has it.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}
