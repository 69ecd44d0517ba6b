//! A study on disk: whole after every entry, whatever happens in between.

use crate::{Study, StudyError};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

impl Study {
    /// Reads `file`.
    ///
    /// # Errors
    /// When it cannot be read or is no study.
    pub fn read(file: &Path) -> Result<Self, StudyError> {
        let text = fs::read(file).map_err(|source| StudyError::File {
            file: file.to_owned(),
            doing: "read",
            source,
        })?;
        let study: Self = serde_json::from_slice(&text)
            .map_err(|source| StudyError::Format { file: file.to_owned(), source })?;
        study.design.check()?;
        Ok(study)
    }

    /// Writes a new study.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written.
    pub fn create(&self, file: &Path) -> Result<(), StudyError> {
        if file.exists() {
            return Err(StudyError::Exists { file: file.to_owned() });
        }
        self.write(file)
    }

    /// Writes what stands now. A kill in the middle leaves the old file, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), StudyError> {
        self.try_write(file).map_err(|source| StudyError::File {
            file: file.to_owned(),
            doing: "written",
            source,
        })
    }

    fn try_write(&self, file: &Path) -> io::Result<()> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = file.with_file_name(name);
        let mut out = File::create(&part)?;
        out.write_all(self.text().as_bytes())?;
        out.sync_all()?;
        fs::rename(&part, file)?;
        // The name must last as long as the content.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }

    /// SHA-256 of the file's text, in hex: what a signed report names.
    pub fn digest(&self) -> String {
        Sha256::digest(self.text().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("finite numbers, strings and times") + "\n"
    }
}
