//! A request in parts, before any of them is checked.

/// A request in texts, as every form of input tells it.
#[derive(Debug)]
pub struct Parts {
    /// The method.
    pub method: String,
    /// The URL, as the input has it.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}
