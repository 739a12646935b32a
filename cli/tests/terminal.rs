//! Terminal output: help, completions, colours, and errors of the command line.

use std::{
    fs,
    process::{Command, Output},
};

use clap::CommandFactory;
use letterbox::commands::Program;

use crate::program::{PROGRAM, Receiver, letterbox, letterbox_with, printed, run, text};

/// The names of all commands.
fn commands() -> Vec<String> {
    Program::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn the_help_of_every_command_has_examples() {
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
fn colours_depend_on_terminal_and_environment() {
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
fn errors_name_the_option_and_what_was_expected() {
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
            "expected deliveries per second, such as 50/s",
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
        (&["send", "github", "push", "--data", "absent.json"], 2, "--data absent.json: No such file"),
        (
            &["send", "github", "--data", "github.json"],
            2,
            "X-GitHub-Event: expected an event name, such as push",
        ),
        (
            &["send", "payment", "--data", "github.json", "--credentials", "shopify.json"],
            2,
            "x-shopify-topic: expected",
        ),
        (
            &["send", "dingtalk", "check_url", "--credentials", "github.json"],
            2,
            "github.json: no credentials of dingtalk; add",
        ),
        (
            &["send", "github", "push", "--repeat", "3", "--to", "http://127.0.0.1:1"],
            1,
            "3 of 3 deliveries failed",
        ),
        (&["sign", "github"], 2, "SAMPLE"),
        (&["sign", "github", "push", "--as", "wget"], 2, "possible values: curl, event, raw"),
        (
            &["sign", "github", "pull"],
            2,
            "no sample \"pull\" of github; list all with `letterbox send --list`",
        ),
        (&["sign", "github", "push", "--to", "nowhere"], 2, "--to \"nowhere\": expected a URL"),
        (&["open", "github", "--header", "nothing"], 2, "expected `NAME: VALUE`"),
        (&["open", "github", "--at", "noon"], 2, "expected RFC 3339"),
        (&["open", "github", "--url", "a b"], 2, "--url"),
        (&["seal", "dingtalk"], 2, "SAMPLE"),
        (&["seal", "dingtalk", "check_url", "--data", "-"], 2, "cannot be used with"),
        (&["completions"], 2, "SHELL"),
    ] {
        let output = letterbox_with(folder.path(), args, b"");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// The command line, or a file that it names, is invalid.
    Usage,
    /// The delivery or the response is refused.
    Refused,
    /// The command cannot finish its work.
    Failed,
}

#[test]
fn the_kind_of_error_decides_the_exit_code_of_every_command() {
    use Wrong::{Failed, Refused, Usage};

    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let receiver = Receiver::start(&[("500 Oh", "{}")], std::time::Duration::ZERO);
    let other_source = format!("{}/github/acme", receiver.url);
    fs::write(folder.path().join("broken.json"), "{").unwrap();
    fs::write(folder.path().join("text.db"), "no database, and long enough to be sure of it\n".repeat(9))
        .unwrap();
    let rows: [(&[&str], Wrong); 31] = [
        (&["serve", "--port", "x"], Usage),
        (&["serve", "--credentials", "broken.json"], Usage),
        (&["serve", "--cards", "broken.json"], Usage),
        (&["serve", "--database", "text.db"], Usage),
        (&["serve", "--port", &port], Failed),
        (&["send", "github", "push", "--list"], Usage),
        (&["send", "gitlab", "push"], Usage),
        (&["send", "github", "pull"], Usage),
        (&["send", "github", "push", "--source", "nobody"], Usage),
        (&["send", "github", "push", "--to", &other_source, "--source", "other"], Usage),
        (&["send", "github", "push", "--to", &receiver.url], Refused),
        (&["send", "github", "push", "--to", &receiver.url, "--repeat", "2"], Refused),
        (&["send", "github", "push", "--to", "http://127.0.0.1:1"], Failed),
        (&["sign", "github", "push", "--data", "absent.json"], Usage),
        (&["sign", "github", "push", "--to", &other_source, "--source", "other"], Usage),
        (&["sign", "github", "push"], Failed),
        (&["open", "github", "--data", "absent.json"], Usage),
        (&["open", "github", "--source", "nobody"], Usage),
        (&["open", "github", "--header", "x-hub-signature-256: sha256=00"], Refused),
        (&["seal", "github", "push"], Usage),
        (&["seal", "dingtalk", "check_url", "--data", "-"], Usage),
        (&["seal", "dingtalk", "check_url"], Failed),
        (&["events", "--database", "absent.db"], Usage),
        (&["events", "--database", "text.db"], Usage),
        (&["doctor", "--url", "https://h/github", "--entry", "1"], Usage),
        (&["doctor", "--event", "absent.json"], Usage),
        (&["doctor", "--delivery", "1", "--database", "text.db"], Usage),
        (&["doctor", "--url", "https://h/github", "--reply", "absent.txt"], Usage),
        (&["doctor", "--url", "https://h/github"], Refused),
        (&["completions", "tcsh"], Usage),
        (&["completions", "bash"], Failed),
    ];
    for (args, wrong) in rows {
        let mut command = Command::new(PROGRAM);
        command.args(args).current_dir(folder.path()).env_remove("CARDS");
        // The output of these commands cannot be written.
        let prints =
            [&["sign", "github", "push"][..], &["seal", "dingtalk", "check_url"], &["completions", "bash"]];
        if prints.contains(&args) {
            let Ok(full) = fs::File::options().write(true).open("/dev/full") else { continue };
            command.stdout(full);
        }
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let expected = if wrong == Usage { 2 } else { 1 };
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{wrong:?} {args:?}: {message}");
        // A diagnosis goes to standard output, without an error line.
        assert_eq!(
            message.contains("letterbox: ") || message.starts_with("error: "),
            args[0] != "doctor" || wrong != Refused,
            "{message}"
        );
    }
}
