//! The folder of certificates: `own/` ours, `trusted/` whom a person trusts, `rejected/` who knocked or was refused.
//!
//! The names of the files are those async-opcua looks for: `<common name> [<sha1>].der`. A file in `rejected/` is
//! refused whatever lies in `trusted/`. There is no CA and no revocation list: each peer is trusted by itself.

use super::{
    certificate::{Certificate, CertificateError},
    own::{Own, Wish},
};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Most certificates kept of those who knocked; the oldest go. Anybody may knock, and the disk is not theirs.
const KNOCKS: usize = 100;

/// The folder `<data>/opcua`.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

/// A file of `trusted/` or `rejected/`.
#[derive(Debug)]
pub struct Entry {
    /// Where.
    pub path: PathBuf,
    /// When it was put there, where the file system knows.
    pub since: Option<SystemTime>,
    /// What it holds.
    pub certificate: Result<Certificate, CertificateError>,
}

impl Pki {
    /// Makes the folders that are missing (mode 0700). Certificates that a person laid into `trusted/` under another
    /// name or as PEM get the name they are looked for by.
    ///
    /// # Errors
    /// A folder cannot be made or read.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, PkiError> {
        let pki = Self { folder: folder.into() };
        for folder in [pki.own_folder(), pki.trusted_folder(), pki.rejected_folder()] {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(io_error(&folder))?;
        }
        pki.name_as_looked_for()?;
        Ok(pki)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn own_folder(&self) -> PathBuf {
        self.folder.join("own")
    }

    fn trusted_folder(&self) -> PathBuf {
        self.folder.join("trusted")
    }

    fn rejected_folder(&self) -> PathBuf {
        self.folder.join("rejected")
    }

    /// The station's own certificate, if it has one.
    ///
    /// # Errors
    /// Half of the pair is missing, the two do not belong together, or others can read the key.
    pub fn own(&self) -> Result<Option<Own>, PkiError> {
        Own::read(&self.own_folder())
    }

    /// The station's own certificate; one as wished if there is none yet.
    ///
    /// # Errors
    /// As [`Pki::own`], or it cannot be made.
    pub fn own_or_new(&self, wish: &Wish) -> Result<Own, PkiError> {
        match self.own()? {
            Some(own) => Ok(own),
            None => self.renew(wish),
        }
    }

    /// A new certificate with a new key in place of the old one. Every peer must trust it anew.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn renew(&self, wish: &Wish) -> Result<Own, PkiError> {
        let folder = self.own_folder();
        let mode = fs::metadata(&folder).map_err(io_error(&folder))?.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(PkiError::FolderIsWritable { path: folder, mode });
        }
        Own::make(&folder, wish)
    }

    /// Whom a person trusts, by name.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn trusted(&self) -> Result<Vec<Entry>, PkiError> {
        entries(&self.trusted_folder())
    }

    /// Who knocked and is not trusted, or was refused by a person; the newest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn rejected(&self) -> Result<Vec<Entry>, PkiError> {
        let mut entries = entries(&self.rejected_folder())?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.since));
        Ok(entries)
    }

    /// Exactly this certificate was trusted by a person, and was not refused since.
    pub fn is_trusted(&self, certificate: &Certificate) -> bool {
        let name = certificate.file_name();
        let same =
            |entry: PathBuf| Certificate::read(&entry).is_ok_and(|read| read.der() == certificate.der());
        !self.rejected_folder().join(&name).exists() && same(self.trusted_folder().join(&name))
    }

    /// A person trusts `whom`: a certificate's file, or the first digits of the thumbprint of one that knocked.
    ///
    /// # Errors
    /// It is none, nobody with that thumbprint knocked, or more than one did.
    pub fn trust(&self, whom: &str) -> Result<Certificate, PkiError> {
        let certificate = match Path::new(whom) {
            file if file.is_file() => Certificate::read(file)?,
            _ => pick(whom, self.rejected()?, "knocked")?.1,
        };
        let name = certificate.file_name();
        let (path, rejected) = (self.trusted_folder().join(&name), self.rejected_folder().join(&name));
        fs::write(&path, certificate.der()).map_err(io_error(&path))?;
        // A certificate that stays there would be refused all the same.
        remove(&rejected)?;
        Ok(certificate)
    }

    /// A person trusts `whom` no more: a file, or the first digits of the thumbprint of one that is trusted. A
    /// session that is open stays open until it ends.
    ///
    /// # Errors
    /// Nobody with that thumbprint is trusted, or more than one is.
    pub fn distrust(&self, whom: &str) -> Result<Certificate, PkiError> {
        let certificate = match Path::new(whom) {
            file if file.is_file() => Certificate::read(file)?,
            _ => pick(whom, self.trusted()?, "is trusted")?.1,
        };
        // Refused first: between the two steps it must not be trusted.
        self.knocked(&certificate)?;
        remove(&self.trusted_folder().join(certificate.file_name()))?;
        Ok(certificate)
    }

    /// Keeps the certificate of somebody who is not trusted, for a person to look at. The oldest ones go.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn knocked(&self, certificate: &Certificate) -> Result<PathBuf, PkiError> {
        let path = self.rejected_folder().join(certificate.file_name());
        fs::write(&path, certificate.der()).map_err(io_error(&path))?;
        self.prune()?;
        Ok(path)
    }

    /// Lets all but the newest 100 of `rejected/` go; tells how many went. To be called now and then beside a server,
    /// which keeps everybody's certificate.
    ///
    /// # Errors
    /// The folder cannot be read, or a file not removed.
    pub fn prune(&self) -> Result<usize, PkiError> {
        let mut files = files(&self.rejected_folder())?;
        files.sort_by_key(|(_, since)| std::cmp::Reverse(*since));
        let old = files.split_off(files.len().min(KNOCKS));
        for (path, _) in &old {
            remove(path)?;
        }
        Ok(old.len())
    }

    fn name_as_looked_for(&self) -> Result<(), PkiError> {
        for Entry { path, certificate, .. } in self.trusted()? {
            let Ok(certificate) = certificate else { continue };
            let wanted = self.trusted_folder().join(certificate.file_name());
            if path != wanted {
                fs::write(&wanted, certificate.der()).map_err(io_error(&wanted))?;
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The one entry whose thumbprint begins with `digits`.
fn pick(digits: &str, entries: Vec<Entry>, did: &'static str) -> Result<(PathBuf, Certificate), PkiError> {
    let wanted: String = digits.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let wanted = wanted.to_lowercase();
    if wanted.len() < 6 || !wanted.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(PkiError::NotAThumbprint { given: digits.to_owned() });
    }
    let known = entries.into_iter().filter_map(|entry| Some((entry.path, entry.certificate.ok()?)));
    let mut meant: Vec<_> =
        known.filter(|(_, certificate)| certificate.thumbprint.starts_with(&wanted)).collect();
    match (meant.pop(), meant.len()) {
        (Some(meant), 0) => Ok(meant),
        (None, _) => Err(PkiError::Nobody { digits: wanted, did }),
        (Some(_), others) => Err(PkiError::Several { digits: wanted, count: others + 1 }),
    }
}

fn entries(folder: &Path) -> Result<Vec<Entry>, PkiError> {
    let mut files = files(folder)?;
    files.sort();
    let entry = |(path, since): (PathBuf, Option<SystemTime>)| Entry {
        certificate: Certificate::read(&path),
        path,
        since,
    };
    Ok(files.into_iter().map(entry).collect())
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, Option<SystemTime>)>, PkiError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error(folder))? {
        let entry = entry.map_err(io_error(folder))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        match entry.metadata() {
            Ok(about) if about.is_file() && !hidden => files.push((entry.path(), about.modified().ok())),
            _ => {} // a folder, or a file that went away since
        }
    }
    Ok(files)
}

fn remove(path: &Path) -> Result<(), PkiError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PkiError + use<> {
    let path = path.to_owned();
    move |source| PkiError::Io { path, source }
}

/// Certificates that cannot be used as they lie there.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The disk, or rights.
    #[error("cannot use {} ({source})", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Others than its owner can read the private key.
    #[error(
        "private key {} can be read by others (mode {mode:04o}, expected 0600); if nobody else uses this machine \
         `chmod 600` it, otherwise make a new one with `plumb opcua certificate --renew` and have that trusted",
        path.display()
    )]
    KeyIsReadable {
        /// The key.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Others could put their key in place of ours.
    #[error("folder {} can be written to by others (mode {mode:04o}, expected 0700); `chmod 700` it", path.display())]
    FolderIsWritable {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is no private key.
    #[error("{} is no private key in PEM ({why}); `plumb opcua certificate --renew` makes a new pair", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        why: String,
    },
    /// Key and certificate are of two pairs.
    #[error(
        "{} is not the key of {}; put the right one back, or make a new pair with `plumb opcua certificate --renew`",
        key.display(),
        certificate.display()
    )]
    OtherKey {
        /// The certificate.
        certificate: PathBuf,
        /// The key that is not its.
        key: PathBuf,
    },
    /// One of the two files is missing.
    #[error(
        "{} is there but {} is missing; put it back, or make a new pair with `plumb opcua certificate --renew`",
        there.display(),
        missing.display()
    )]
    Half {
        /// What is there.
        there: PathBuf,
        /// What is not.
        missing: PathBuf,
    },
    /// Nothing a certificate could say.
    #[error("{}", problems.join("; "))]
    Wish {
        /// Each a sentence.
        problems: Vec<String>,
    },
    /// The crypto library could not: a bug.
    #[error("cannot make a certificate ({why})")]
    Make {
        /// What it said.
        why: String,
    },
    /// Neither a file nor a thumbprint.
    #[error(
        "\"{given}\" is neither a file nor the beginning of a thumbprint (6 or more hexadecimal digits); \
         `plumb opcua clients` lists them"
    )]
    NotAThumbprint {
        /// What was given.
        given: String,
    },
    /// No such certificate.
    #[error("nobody whose certificate begins with {digits} {did}; `plumb opcua clients` lists them")]
    Nobody {
        /// As given.
        digits: String,
        /// knocked, is trusted
        did: &'static str,
    },
    /// Too few digits.
    #[error("{count} certificates begin with {digits}; give more digits")]
    Several {
        /// As given.
        digits: String,
        /// How many.
        count: usize,
    },
}
