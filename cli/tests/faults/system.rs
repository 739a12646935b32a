//! A system that fails on demand: a library between the program and the system, which `system.c` is the source of. The
//! program is the real one, and so are its files.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
};

use crate::program::{PROGRAM, Server};

/// What can be set, at its position.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Milliseconds that the clock is ahead.
    Clock,
    /// The error of every write to a database.
    Write,
    /// The error of every sync of a database.
    Sync,
    /// Milliseconds that every sync of a database takes.
    Delay,
}

/// Longer than any test.
pub const FOREVER: i64 = i64::MAX;

/// The system of one program.
pub struct System {
    control: File,
    path: PathBuf,
}

impl System {
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("faults");
        fs::write(&path, [0; 32]).unwrap();
        Self { control: File::options().write(true).open(&path).unwrap(), path }
    }

    pub fn set(&self, fault: Fault, value: i64) {
        self.control.write_all_at(&value.to_ne_bytes(), fault as u64 * 8).unwrap();
    }

    /// Runs a program in this system.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env("LD_PRELOAD", library()).env("LETTERBOX_SYSTEM", &self.path);
        command
    }

    /// Starts the server; its errors go to the file `errors`.
    pub fn serve(&self, folder: &Path) -> Server {
        let errors = File::options().create(true).append(true).open(folder.join("errors")).unwrap();
        Server::spawn(folder, self.command().args(["serve", "--port", "0"]).stderr(errors))
    }
}

/// Compiles the library, once, with what also links the tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (library, new) = (folder.join("faults.so"), folder.join(format!("faults-{}.so", process::id())));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/system.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&new).arg(source);
        assert!(cc.status().unwrap().success());
        // Another run of the tests may be using the former one.
        fs::rename(new, &library).unwrap();
        library
    })
}
