//! Writing the configuration file: whole, or not at all.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// Writes the text to a file beside it, and renames that: if the disk is full or the program is killed, the file is as it
/// was. A link stays a link, and the permissions of the file stay. A new file is the user's alone.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // The folder of a name alone is the current one.
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    if let Ok(metadata) = fs::metadata(&target) {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_new_file_is_written_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samconfig.toml");
        replace(&path, "version = 0.1\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "version = 0.1\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_and_the_permissions_of_its_file_stay() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["real.toml", "samconfig.toml"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn nothing_is_left_if_the_file_cannot_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        // At its place, there is a folder.
        let path = folder.path().join("samconfig.toml");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, "new").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
