//! Writes the sample events, the outcome of each, and doctor's broken deliveries.

use std::{fs, path::Path, process::ExitCode};

use letterbox_tests::{cases, doctor, root};

fn main() -> ExitCode {
    match write() {
        Ok(count) => {
            println!("{count} events and their outcomes written");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("events: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<usize, String> {
    let cases = cases::all();
    for case in &cases {
        let event = case.event()?;
        let outcome = case.replay(&event)?;
        if outcome.get("status") != Some(&case.status.into()) {
            return Err(format!(
                "{}/{}: expected status {}: {outcome}",
                case.provider, case.name, case.status
            ));
        }
        put(&case.event_file(), &cases::pretty(&event))?;
        put(&case.expected_file(), &cases::pretty(&outcome))?;
    }
    // A file's name contains the cause, so files of removed cases are deleted.
    let _ = fs::remove_dir_all(root().join("tests/doctor"));
    for case in doctor::all()? {
        put(&case.file(), &cases::pretty(&case.json()))?;
    }
    Ok(cases.len())
}

fn put(file: &Path, text: &str) -> Result<(), String> {
    let named = |error: std::io::Error| format!("{}: {error}", file.display());
    fs::create_dir_all(file.parent().unwrap_or(file)).map_err(named)?;
    fs::write(file, text).map_err(named)
}
