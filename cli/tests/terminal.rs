//! What the program looks like: help, completions, colours, and errors of the command line.

use std::{
    fs,
    process::{Command, Output},
};

use clap::CommandFactory;
use letterbox::args::Program;

use crate::program::{PROGRAM, Receiver, letterbox, letterbox_with, printed, run, text};

/// Every command that the program has.
fn commands() -> Vec<String> {
    Program::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn every_command_explains_itself_by_examples() {
    let folder = tempfile::tempdir().unwrap();
    let all = printed(&letterbox(folder.path(), &["--help"]));
    for command in commands() {
        assert!(all.contains(&format!("  {command} ")), "{command}");
        let help = printed(&letterbox(folder.path(), &[&command, "--help"]));
        assert!(help.contains(&format!("Examples:\n  letterbox {command}")), "{command}: {help}");
    }
}

#[test]
fn completions_know_commands_options_and_providers() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&letterbox(folder.path(), &["completions", shell]));
        for word in commands().into_iter().chain(["as-platform".to_owned()]) {
            assert!(script.contains(&word), "{shell}: {word}");
        }
        // The other shells' scripts complete no arguments without a dash.
        assert!(script.contains("dingtalk") || !["bash", "zsh"].contains(&shell), "{shell}");
    }
    let script = letterbox(folder.path(), &["completions", "bash"]).stdout;
    printed(&run(Command::new("bash").arg("-n"), &script));
    let unknown = letterbox(folder.path(), &["completions", "tcsh"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("possible values: bash"), "{}", text(&unknown.stderr));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&[("202 Accepted", "{}")], std::time::Duration::ZERO);
    let send = |variables: &[(&str, &str)], sample: &str| -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(["send", "github", sample, "--to", &receiver.url]).current_dir(folder.path());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let coloured = |output: &Output| {
        let shown = if output.status.success() { &output.stdout } else { &output.stderr };
        shown.contains(&b'\x1b')
    };
    for sample in ["push", "no such sample"] {
        assert!(!coloured(&send(&[], sample)), "a pipe is no terminal");
        assert!(coloured(&send(&[("CLICOLOR_FORCE", "1")], sample)));
        assert!(!coloured(&send(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], sample)));
    }
}

#[test]
fn errors_name_what_is_wrong_and_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("github.json"), r#"{"github":{"default":{"secret":"hunter2"}}}"#).unwrap();
    let shopify = r#"{"payment":{"default":{"preset":"shopify","secret":"hunter2"}}}"#;
    fs::write(folder.path().join("shopify.json"), shopify).unwrap();
    for (args, code, expected) in [
        (&["send", "github", "push", "--rate", "5/s"][..], 2, "--repeat <N>"),
        (&["send", "github", "push", "--repeat", "0"], 2, "--repeat <N>"),
        (
            &["send", "github", "push", "--repeat", "2", "--rate", "fast"],
            2,
            "expected deliveries a second, such as 50/s",
        ),
        (&["send", "github", "push", "--repeat", "2", "--at-once", "0"], 2, "--at-once"),
        (&["send", "github", "push", "--repeat", "2", "--as-platform"], 2, "cannot be used with"),
        (&["send", "github", "push", "--longest-pause", "1"], 2, "--as-platform"),
        (&["send", "github", "push", "--as-platform", "--longest-pause=-1"], 2, "--longest-pause"),
        (
            &["send", "github", "push", "--as-platform", "--longest-pause", "x"],
            2,
            "expected seconds, such as 1 or 0.5",
        ),
        (&["send", "--list", "--repeat", "2"], 2, "cannot be used with"),
        (&["send", "github", "push", "--data", "absent.json"], 1, "--data absent.json: No such file"),
        (
            &["send", "github", "--data", "github.json"],
            1,
            "X-GitHub-Event: expected an event name, such as push",
        ),
        (
            &["send", "payment", "--data", "github.json", "--credentials", "shopify.json"],
            1,
            "x-shopify-topic: expected",
        ),
        (
            &["send", "dingtalk", "check_url", "--credentials", "github.json"],
            1,
            "github.json: no credentials of dingtalk; add",
        ),
        (
            &["send", "github", "push", "--repeat", "3", "--to", "http://127.0.0.1:1"],
            1,
            "3 of 3 deliveries failed",
        ),
        (&["sign", "github"], 2, "SAMPLE"),
        (&["sign", "github", "push", "--as", "wget"], 2, "possible values: curl, event, raw"),
        (&["sign", "github", "pull"], 1, "no sample \"pull\" of github; `letterbox send --list`"),
        (&["sign", "github", "push", "--to", "nowhere"], 1, "--to \"nowhere\": expected a URL"),
        (&["open", "github", "--header", "nothing"], 2, "expected `NAME: VALUE`"),
        (&["open", "github", "--at", "noon"], 2, "expected RFC 3339"),
        (&["open", "github", "--url", "a b"], 2, "--url"),
        (&["seal", "dingtalk"], 2, "SAMPLE"),
        (&["seal", "dingtalk", "check_url", "--data", "-"], 2, "cannot be used with"),
        (&["completions"], 2, "SHELL"),
    ] {
        let output = letterbox_with(folder.path(), args, b"");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
