//! Selects the payload to send: a sample, or the user's own.

use std::path::Path;

use letterbox_codec::platform::Sample;

use letterbox_registry::Platform;

use crate::data;

/// The sample with this name; with `file`, the user's payload under this name.
pub fn sample(provider: &dyn Platform, name: Option<&str>, file: Option<&Path>) -> Result<Sample, String> {
    let name = name.unwrap_or_default();
    if let Some(file) = file {
        let payload = data::read(file, data::BODY).map_err(|error| format!("--data {error}"))?;
        return Ok(Sample { name: name.to_owned(), payload });
    }
    provider.sample(name).ok_or_else(|| {
        format!("no sample {name:?} of {}; list all with `letterbox send --list`", provider.name())
    })
}
