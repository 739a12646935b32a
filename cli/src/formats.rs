//! The input and output formats of a request: curl command, HAR, raw HTTP, API Gateway event, bare body.

pub mod curl;
pub mod gateway;
pub mod har;
pub mod json_style;
pub mod message;
pub mod parts;
pub mod raw;
