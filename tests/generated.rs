//! The generated files match the code.

use letterbox_tests::generate;

#[test]
fn every_generated_file_is_as_generated() {
    let files = generate::all().unwrap_or_else(|error| panic!("{error}"));
    let errors: Vec<_> = files.iter().filter_map(|file| file.check().err()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}
