//! The forms in which people have a request: a curl command, a HAR, raw HTTP, an API Gateway event, a bare body.

pub mod curl;
pub mod gateway;
pub mod har;
pub mod json_style;
pub mod message;
pub mod parts;
pub mod raw;
