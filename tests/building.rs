//! What the build costs, and what it links: a feature or a dependency that makes it dearer is seen here.

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

use cargo_metadata::MetadataCommand;
use letterbox_tests::root;
use tempfile::TempDir;

/// The packages that link a library of C or assembler: each compiles it, or asks for it to be installed.
const LINKING: [&str; 3] = ["libsqlite3-sys", "openssl-sys", "ring"];

/// OpenSSL's Configure, as far as our part of it is concerned: prints the targets that are added.
const CONFIGURE: &str = r#"
    sub add { join ' ', @_ }
    open my $file, '<', shift @ARGV or die;
    my %targets = eval do { local $/; <$file> };
    die $@ if $@;
    print map { "$_\n" } keys %targets;
"#;

/// What `cargo tree` prints for each package, once.
fn tree(options: &[&str]) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// If they do not, `make test` compiles the AWS SDK twice. The feature that is missing belongs into `tests/Cargo.toml`.
#[test]
fn tests_and_binaries_share_their_libraries() {
    let shape = ["--workspace", "--format", "{p} {f}"];
    let binaries = tree(&[&shape[..], &["--edges", "normal"]].concat());
    let tests = tree(&[&shape[..], &["--edges", "normal,build,dev", "--all-features"]].concat());
    assert!(binaries.len() > 300, "{}", binaries.len());
    let alone: Vec<_> = binaries.difference(&tests).collect();
    assert!(alone.is_empty(), "compiled once more for the binaries: {alone:#?}");
}

#[test]
fn the_program_links_only_these_libraries() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().unwrap();
    let names = tree(&["--package", "letterbox", "--edges", "normal", "--format", "{p}"]);
    let names: BTreeSet<_> = names.iter().filter_map(|line| line.split(' ').next()).collect();
    let linking: BTreeSet<_> = metadata
        .packages
        .iter()
        .filter(|package| package.links.is_some() && names.contains(package.name.as_str()))
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(linking, BTreeSet::from(LINKING));
}

/// Runs our part of OpenSSL's Configure in a folder. True if it takes the installed OpenSSL; else it names its targets.
fn takes_the_installed(folder: &Path, environment: &[(&str, &str)]) -> bool {
    let makefile = folder.join("Makefile");
    let _ = fs::remove_file(&makefile);
    let output = Command::new("perl")
        .current_dir(folder)
        .args(["-e", CONFIGURE])
        .arg(root().join(".cargo/openssl/program.conf"))
        .arg("--prefix=/tmp/install")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let targets = String::from_utf8(output.stdout).unwrap();
    let taken = makefile.exists();
    assert_ne!(taken, targets.contains("linux-x86_64-cc\n"), "{targets}");
    taken
}

/// A Lambda function is built for release, by cargo-lambda, which calls zig and names the target.
#[test]
fn only_a_debug_build_for_this_machine_takes_the_installed_openssl() {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("includedir/openssl")).unwrap();
    fs::create_dir(at("libdir")).unwrap();
    // Run by `sh`: a script that another thread's child still has open for writing cannot be run by itself.
    let script = r#"case $1 in --static) echo "-L/lib -lssl -lcrypto -ldl -pthread$MORE" ;; *) echo "$HERE/${1#--variable=}" ;; esac"#;
    fs::write(at("pkg-config"), script).unwrap();
    let ask = format!("sh {}", at("pkg-config").display());
    let installed = |header: &str, libraries: &[&str], change: (&str, &str)| {
        fs::write(at("includedir/openssl/opensslv.h"), header).unwrap();
        for library in ["libcrypto.a", "libssl.a"] {
            let _ = fs::remove_file(at("libdir").join(library));
        }
        for library in libraries {
            fs::write(at("libdir").join(library), "").unwrap();
        }
        let usual = [
            ("PROFILE", "debug"),
            ("HOST", "x86_64-unknown-linux-gnu"),
            ("TARGET", "x86_64-unknown-linux-gnu"),
            ("OUT_DIR", "/clone/target/debug/build/openssl-sys-1/out"),
            ("CC", "cc"),
            ("PKG_CONFIG", &ask),
            ("HERE", folder.path().to_str().unwrap()),
        ];
        takes_the_installed(folder.path(), &[&usual[..], &[change]].concat())
    };
    let header = "# define OPENSSL_VERSION_MAJOR  3\n";
    let libraries = ["libcrypto.a", "libssl.a"];
    for same in [("CC", "gcc"), ("PROFILE", "debug")] {
        assert!(installed(header, &libraries, same), "{same:?}");
    }
    for change in [
        ("PROFILE", "release"),
        ("TARGET", "aarch64-unknown-linux-gnu"),
        ("OUT_DIR", "/clone/target/x86_64-unknown-linux-gnu/debug/build/openssl-sys-1/out"),
        ("CC", "/cache/zigcc-x86_64-unknown-linux-gnu.sh"),
        ("PKG_CONFIG", "false"),
        ("MORE", " -lzstd"),
    ] {
        assert!(!installed(header, &libraries, change), "{change:?}");
    }
    let none = ("PROFILE", "debug");
    assert!(!installed("# define LIBRESSL_VERSION_NUMBER 0x4000000fL\n", &libraries, none), "LibreSSL");
    assert!(!installed(header, &libraries[..1], none), "no libssl");
    assert!(!installed("", &libraries, none), "no header");
}
