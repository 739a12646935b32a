//! A file that the user names, or standard input.

use std::{
    fs,
    io::{IsTerminal, Read},
    path::Path,
};

/// The content of a file; `-` is standard input.
pub fn read(file: &Path) -> Result<Vec<u8>, String> {
    let place = file.display();
    if file != Path::new("-") {
        return fs::read(file).map_err(|error| {
            format!("{place}: {error}; name a file that can be read, or - for standard input")
        });
    }
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        eprintln!("letterbox: reading standard input; Ctrl-D ends it");
    }
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|error| format!("standard input: {error}"))?;
    Ok(bytes)
}
