//! What `letterbox configure` decides: the entry that answers become, the credentials that it goes into, and
//! `samconfig.toml`. It does no I/O.

pub mod answers;
pub mod credentials;
pub mod plan;
pub mod samconfig;

use serde_json::{Map, Value};

/// One entry of a source's credentials, field by field.
pub type Entry = Map<String, Value>;
