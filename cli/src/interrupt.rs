//! Ctrl-C during long work.

use tokio::{signal, sync::watch};

/// The exit code with which a shell reports that Ctrl-C ended a program.
const EXIT_INTERRUPTED: i32 = 130;

/// True from the first Ctrl-C on: the command ends after the present step. The second one ends the program at once; what was
/// stored until then is right all the same.
pub fn stop_at_ctrl_c() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let _ = signal::ctrl_c().await;
        sender.send_replace(true);
        let _ = signal::ctrl_c().await;
        std::process::exit(EXIT_INTERRUPTED);
    });
    receiver
}
