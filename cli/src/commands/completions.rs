//! `letterbox completions`: the command line, for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::terminal::write;

/// `letterbox completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox completions bash > ~/.local/share/bash-completion/completions/letterbox
  letterbox completions zsh > ~/.zfunc/_letterbox       # with ~/.zfunc in fpath
  letterbox completions fish > ~/.config/fish/completions/letterbox.fish
  source <(letterbox completions bash)                  # for this shell alone")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Prints the script that completes `program`.
pub fn run(args: &Completions, mut program: clap::Command) -> Result<(), String> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "letterbox", &mut script);
    write(&script)
}
