//! `letterbox completions`: completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use super::CommandError;
use crate::terminal::write;

/// `letterbox completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox completions bash > ~/.local/share/bash-completion/completions/letterbox
  letterbox completions zsh > ~/.zfunc/_letterbox       # with ~/.zfunc in fpath
  letterbox completions fish > ~/.config/fish/completions/letterbox.fish
  source <(letterbox completions bash)                  # for the current shell only")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Prints the completion script of `program`.
pub fn run(args: &Completions, mut program: clap::Command) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "letterbox", &mut script);
    Ok(write(&script)?)
}
